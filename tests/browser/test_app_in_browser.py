"""The phone's app in a real Chromium: it sees what Python sees, keeps its peace, works offline, and can be used by all.

What needs the pinned runtime is skipped, and counted, where it was never fetched (make app-runtime).
"""

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers import blots, extent, y4m

from lib import app, assets, boxes, cells, classes, clips, detect, files, images

CAMERA = ("--use-fake-device-for-media-stream",)
ALLOWED = (*CAMERA, "--use-fake-ui-for-media-stream")
AXE = Path(__file__).with_name("axe.json")
STATIC = Path(app.__file__).parent / "static"
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 3, "is_mobile": True, "has_touch": True}
WAIT = 60_000


@dataclass
class Site:
    """A static host: its address, what was asked of it, and whether it is still there."""

    folder: Path
    asked: list[str] = field(default_factory=list)
    server: Any = None

    def __enter__(self) -> "Site":
        site = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                site.asked.append(self.path)

            def copyfile(self, source: Any, outputfile: Any) -> None:
                try:
                    super().copyfile(source, outputfile)
                except OSError:  # the page was closed
                    pass

        handler = functools.partial(Handler, directory=str(self.folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        if self.thread.is_alive():
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()

    def __exit__(self, *args: Any) -> None:
        self.close()


@pytest.fixture(scope="module")
def site(look_by_chance: tuple, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The app with a network of chance, below a path of a plain static host."""
    runtime_or_skip()
    root = tmp_path_factory.mktemp("host")
    app.build(root / "deep/masks", model=look_by_chance[1])
    with Site(root) as running:
        yield running


def runtime_or_skip() -> None:
    try:
        app.find()
    except assets.AssetMissing as missing:
        pytest.skip(f"runtime of the app: {missing}")


@pytest.fixture(scope="module")
def chromium(launch: Callable, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A browser whose camera shows blots."""
    return launch(*ALLOWED).context.browser


def ready(page: Any, url: str) -> Any:
    page.goto(url)
    page.wait_for_function("() => !document.querySelector('#go').disabled", timeout=WAIT)
    return page


def kept(page: Any) -> Any:
    page.wait_for_function("() => document.querySelector('#kept').textContent.includes('Kept')", timeout=WAIT)
    return page


def says(page: Any, words: str) -> None:
    script = "words => document.querySelector('#said').textContent.includes(words)"
    page.wait_for_function(script, arg=words, timeout=WAIT)


def seen(page: Any, photos: list[Path], *, least: float = 0.05) -> list[list[dict]]:
    """What the page's own code sees on photos: faces with xyxy, score, probabilities."""
    page.evaluate(
        """() => {
            const input = document.body.appendChild(Object.assign(document.createElement("input"), { type: "file" }));
            [input.id, input.multiple] = ["many", true];
        }"""
    )
    page.set_input_files("#many", photos)
    return page.evaluate(
        """async (least) => {
            const { look, opened } = await import("./page.js"), all = [];
            for (const file of document.querySelector("#many").files) all.push((await look(await opened(file))).faces);
            document.querySelector("#many").remove();
            return all.map((faces) => faces.filter((face) => face.score >= least));
        }""",
        least,
    )


def compare(found: Any, told: list[dict]) -> tuple[float, float, int]:
    """Smallest IoU and largest difference of a probability of the boxes that both have, and how many are alone."""
    theirs = np.array([face["xyxy"] for face in told]).reshape(-1, 4)
    if not len(found) or not len(theirs):
        return 1.0, 0.0, len(found) + len(theirs)
    overlap = boxes.iou(np.asarray(found.xyxy, float), theirs)
    owner, best = overlap.argmax(axis=1), overlap.max(axis=1)
    pairs = best > 0.5
    apart = np.abs(np.array([face["probabilities"] for face in told])[owner] - found.data["probabilities"]).max(axis=1)
    alone = int((~pairs).sum()) + len(theirs) - len(set(owner[pairs]))
    return float(best[pairs].min(initial=1)), float(apart[pairs].max(initial=0)), alone


# --- without the runtime ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare(launch: Callable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A page beside cells.js alone."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "cells.js").write_bytes((STATIC / "cells.js").read_bytes())
    (folder / "index.html").write_text("<!doctype html><title>bare</title>")
    with Site(folder) as running:
        page = launch()
        page.goto(running.url)
        yield page


@pytest.mark.parametrize(
    "size", [(1280, 720), (333, 517), (67, 53), (71, 90), (96, 64), (40, 30), (61, 59), (512, 16), (1, 1)]
)
def test_the_canvas_is_pythons(bare: Any, size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    said = bare.evaluate(
        """async ([bytes, size, shape, told]) => {
            const { letterbox } = await import("./cells.js");
            const rgba = Uint8ClampedArray.from(atob(bytes), (c) => c.charCodeAt(0));
            const { canvas, back } = letterbox(rgba, size, shape, told);
            return [[...canvas], back];
        }""",
        [coded(rgba), size, [96, 128], {"grey": cells.GREY, "enlarge": cells.ENLARGE}],
    )
    canvas, back = cells.letterbox(rgb, (96, 128))
    apart = np.abs(np.array(said[0]).reshape(canvas.shape) - canvas.astype(int))
    whole = size[0] % 128 == 0 and size[0] > 128  # OpenCV has a quicker way for these, which rounds otherwise
    assert apart.max() <= whole and (apart > 0).mean() < 0.01 and np.allclose(said[1], back[:2])


def coded(array: np.ndarray) -> str:
    import base64

    return base64.b64encode(array.tobytes()).decode()


def test_the_faces_are_pythons(bare: Any) -> None:
    rng, shape = np.random.default_rng(2), (96, 128)
    places = cells.points(shape)
    face, logs, answer = (rng.normal(m, s, (len(places), k)).astype(np.float32) for m, s, k in
                          ((-1.5, 2, 1), (0.8, 0.6, 4), (0, 2, 3)))  # fmt: skip
    logs[5] = 50  # wilder than `REACH`
    card = {"temperature": 0.8, "bias": [0.1, 0.0, -0.6]}
    said = bare.evaluate(
        """async ([face, box, answer, shape, model, strides, reach]) => {
            const { people, points } = await import("./cells.js");
            const [f, b, a] = [face, box, answer].map((values) => Float32Array.from(values));
            const outputs = { face: f, box: b, answer: a };
            const how = { size: [256, 192], back: [2, 2], model, reach, minScore: 0.3 };
            return people(outputs, points(shape, { strides }), how);
        }""",
        [*(part.ravel().tolist() for part in (face, logs, answer)), shape, card | {"overlap": 0.45},
         cells.STRIDES, cells.REACH],
    )  # fmt: skip
    xyxy, scores, raw = cells.read((face, logs, answer), places, min_score=0.3, overlap=0.45)
    three = detect.calibrated(raw, **card)
    assert len(said) == len(xyxy) > 10
    assert np.allclose([one["xyxy"] for one in said], boxes.clip(xyxy * 2, (256, 192)), atol=1e-2)
    assert np.allclose([one["score"] for one in said], scores, atol=1e-5)
    assert np.allclose([one["probabilities"] for one in said], three, atol=1e-5)


# --- with it ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_sees_what_python_sees_on_one_thread_and_on_several(
    chromium: Any, site: Site, look_by_chance: tuple, tmp_path: Path
) -> None:
    runner = detect.OneLook.load(look_by_chance[1], min_score=0.3)
    pictures = [canvas for canvas in blots(6, (96, 128), seed=5)]
    pictures += [cv2.resize(pictures[0], size) for size in ((401, 300), (150, 640))]
    photos = [images.write(tmp_path / f"{i}.png", rgb) for i, rgb in enumerate(pictures)]
    context = chromium.new_context()
    page = ready(context.new_page(), f"{site.url}/deep/masks/")
    assert "one thread" in page.inner_text("#about")
    for rgb, told in zip(pictures, seen(page, photos, least=0.3), strict=True):
        worst, apart, alone = compare(runner(rgb), told)
        assert len(told) and worst > 0.9 and apart < 0.02 and alone == 0
    context.close()


@pytest.mark.slow
def test_it_asks_nobody_else_and_nothing_later_and_works_without_a_network(
    chromium: Any, site: Site, look_by_chance: tuple, tmp_path: Path
) -> None:
    context = chromium.new_context()
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    elsewhere: list[str] = []
    context.on("request", lambda r: None if r.url.startswith((site.url, "blob:")) else elsewhere.append(r.url))
    with Site(site.folder) as host:
        url = f"{host.url}/deep/masks/index.html"
        elsewhere_of = host.url
        context.on("request", lambda r: elsewhere.remove(r.url) if r.url.startswith(elsewhere_of) else None)
        kept(ready(page, url))
        wanted = json.loads((site.folder / "deep/masks/about.json").read_text())["files"]
        came = {path.removeprefix("/deep/masks/") for path in host.asked}
        first = sum(entry["bytes"] for name, entry in wanted.items() if name in came)
        assert first < 8e6 and sum(".wasm" in name for name in came) == 1
        assert all(host.asked.count(path) == 1 for path in host.asked if path.endswith((".gzip", ".tflite")))
        asked = len(host.asked)
        page.set_input_files("#file", images.write(tmp_path / "a.png", blots(1, (96, 128))[0]))
        says(page, "face")
        page.click("#go")
        page.wait_for_function("() => document.querySelector('#speed').textContent.includes('frames/s')", timeout=WAIT)
        with page.expect_download() as download:
            page.click("#snapshot")
        assert images.read(download.value.path()).ndim == 3
        page.click("#go")
        later = set(host.asked[asked:]) - {"/deep/masks/sw.js"}  # the browser's own look for a new version
        assert later == set() and elsewhere == []
    ready(page, url)  # the host is gone
    page.set_input_files("#file", tmp_path / "a.png")
    says(page, "face")
    assert "one thread" in page.inner_text("#about") and not said
    context.close()


@pytest.mark.slow
def test_a_new_version_is_offered_and_taken(
    chromium: Any, look_by_chance: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime_or_skip()
    app.build(tmp_path / "app", model=look_by_chance[1])
    context = chromium.new_context()
    with Site(tmp_path) as host:
        page = kept(ready(context.new_page(), f"{host.url}/app/"))
        monkeypatch.setitem(classes.WORDS, "with_mask", "Masked well")
        app.build(tmp_path / "app", model=look_by_chance[1])
        host.asked.clear()
        kept(ready(page, f"{host.url}/app/"))
        assert "Masked well" not in page.inner_text("#legend")  # the old one, whole, until it is wanted
        page.wait_for_selector("#renew", timeout=WAIT)
        assert {Path(p).name for p in host.asked} == {"sw.js", "about.json"}  # only what has changed
        page.click("#renew")
        page.wait_for_function(
            "() => document.querySelector('#legend')?.textContent.includes('Masked well')", timeout=WAIT
        )
        kept(ready(page, f"{host.url}/app/"))
        old = page.evaluate(
            "async () => (await (await caches.open((await caches.keys())[0])).keys()).map((r) => r.url)"
        )
        assert sum("about.json" in name for name in old) == 1
    context.close()


def test_the_camera_is_taken_and_released_and_every_trouble_is_a_sentence(launch: Callable, site: Site) -> None:
    browser = launch(*CAMERA).context.browser
    context = browser.new_context(permissions=[])
    page = ready(context.new_page(), f"{site.url}/deep/masks/")
    page.click("#go")
    says(page, "was refused")
    for script, words in (
        (fails("NotFoundError"), "no camera here"),
        (fails("NotReadableError"), "Another program"),
        ("delete MediaDevices.prototype.getUserMedia", "https://"),
    ):
        page.evaluate(f"() => {{ {script} }}")
        page.click("#go")
        says(page, words)
        assert page.inner_text("#go") == "Start camera" and page.locator("#stage").is_hidden()
    context.close()
    context = browser.new_context(permissions=["camera"])
    page = context.new_page()
    page.add_init_script(
        "window.tracks = []; const ask = MediaDevices.prototype.getUserMedia; MediaDevices.prototype.getUserMedia = "
        "async function (wish) { const got = await ask.call(this, wish); tracks.push(...got.getTracks()); return got };"
    )
    ready(page, f"{site.url}/deep/masks/").click("#go")
    page.wait_for_function("() => !document.querySelector('#snapshot').disabled", timeout=WAIT)
    assert page.evaluate("() => tracks.map((track) => track.readyState)") == ["live"]
    page.uncheck("#mirror")
    page.wait_for_function("() => !document.querySelector('#live').classList.contains('mirrored')", timeout=WAIT)
    page.click("#go")
    says(page, "the camera is free")
    assert page.evaluate("() => tracks.map((track) => track.readyState)") == ["ended"]
    context.close()


def fails(name: str) -> str:
    return f"MediaDevices.prototype.getUserMedia = async () => {{ throw new DOMException('x', '{name}') }}"


def test_what_came_broken_is_a_sentence(chromium: Any, site: Site, tmp_path: Path) -> None:
    context = chromium.new_context(service_workers="block")
    page = context.new_page()
    shutil.copytree(site.folder / "deep/masks", tmp_path / "app")
    model = tmp_path / "app/model/look.tflite"
    size = model.stat().st_size
    for content, words in ((b"x" * 1000, "did not come whole"), (b"x" * size, "is not the file")):
        model.write_bytes(content)
        with Site(tmp_path) as host:  # each time another, for a host tells files apart by the second they are of
            page.goto(f"{host.url}/app/")
            says(page, words)
    ready(page, f"{site.url}/deep/masks/")
    page.set_input_files("#file", files.write(tmp_path / "no.jpg", "words"))
    says(page, "no picture that this browser can read")
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [{"viewport": {"width": 1280, "height": 900}}, PHONE | {"color_scheme": "dark"}], ids=["desktop", "phone"]
)
def test_everybody_can_use_it(chromium: Any, site: Site, how: dict, tmp_path: Path) -> None:
    try:
        axe = (app.find(AXE) / "axe.min.js").read_text()
    except assets.AssetMissing as missing:
        pytest.skip(f"axe: {missing}")
    context = chromium.new_context(bypass_csp=True, service_workers="block", **how)
    page = ready(context.new_page(), f"{site.url}/deep/masks/")
    page.add_script_tag(content=axe)
    assert wrong(page) == []
    page.set_input_files("#file", images.write(tmp_path / "a.png", blots(1, (96, 128))[0]))
    says(page, "face")
    assert wrong(page) == []
    wide, room = page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide <= room
    context.close()


def wrong(page: Any) -> list[str]:
    """What axe finds to be wrong, every rule of WCAG 2 A and AA and of good practice."""
    found = page.evaluate("async () => (await axe.run()).violations")
    return [f"{v['id']}: {v['nodes'][0]['html']}" for v in found]


def test_it_can_be_used_by_keyboard(chromium: Any, site: Site) -> None:
    context = chromium.new_context(service_workers="block")
    page = ready(context.new_page(), f"{site.url}/deep/masks/")
    order = []
    for _ in range(5):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id"))
    assert order == ["go", "file", "mirror", "least", "unsure"]
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#unsure-said") == "61 %"
    page.focus("#go")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('#snapshot').disabled", timeout=WAIT)
    page.keyboard.press("Enter")
    says(page, "the camera is free")
    context.close()


@pytest.mark.slow
def test_a_real_person_is_boxed_where_the_face_is(launch: Callable, shared: Path, tmp_path: Path) -> None:
    runtime_or_skip()
    if not any((assets.models() / f"{name}.json").is_file() for name in app.MODELS):
        pytest.skip("model: no one-look model ships yet")
    app.build(tmp_path / "app")
    frames = [rgb for _, rgb in clips.frames(shared / "data/videos/woman_masked_at_desk.mp4")][:40]
    film = y4m(tmp_path / "person.y4m", frames)
    context = launch(*ALLOWED, f"--use-file-for-fake-video-capture={film}").context.browser.new_context()
    with Site(tmp_path) as host:
        page = ready(context.new_page(), f"{host.url}/app/")
        page.uncheck("#mirror")
        page.click("#go")
        page.wait_for_function(
            "() => document.querySelector('[data-name=with_mask] b').textContent === '1'", timeout=WAIT
        )
        x1, y1, x2, y2 = extent(page.locator("#boxes"), classes.COLOURS["with_mask"], apart=40)
        assert 0.35 < (x1 + x2) / 2 < 0.65 and y2 - y1 > 0.2
        context.close()


@pytest.mark.slow
def test_it_sees_on_real_photos_what_python_sees(launch: Callable, shared: Path, tmp_path: Path) -> None:
    """Twelve of the fifty that `benchmarks/app.py parity` compares; PNGs, for a browser reads JPEG in its own way."""
    runtime_or_skip()
    name = next(name for name in app.MODELS if (assets.models() / f"{name}.json").is_file())
    app.build(tmp_path / "app", model=name)
    photos = images.find(shared / "data/photos-labelled/images")[::60][:12]
    pictures = [images.read(photo) for photo in photos]
    files_ = [images.write(tmp_path / f"{i}.png", rgb) for i, rgb in enumerate(pictures)]
    runner, faces, context = detect.OneLook.load(name), 0, launch().context.browser.new_context()
    with Site(tmp_path) as host:
        page = ready(context.new_page(), f"{host.url}/app/")
        for rgb, told in zip(pictures, seen(page, files_, least=runner.min_score), strict=True):
            worst, apart, alone = compare(runner(rgb), told)
            assert worst > 0.99 and apart < 0.001 and alone == 0
            faces += len(told)
        context.close()
    assert faces >= 12
