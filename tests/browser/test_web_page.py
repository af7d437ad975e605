"""The web page in a real Chromium: pictures, videos, both cameras, a phone, a keyboard, another site."""

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helpers
import numpy as np
import pytest
import supervision as sv
from helpers import bright, y4m

from lib import classes, clips, detect, images, web

CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
GREEN = classes.COLOURS["with_mask"]
WAIT = 30_000


def square(i: int = 0) -> np.ndarray:
    """Frame i: a white square in the left half, moving down slowly."""
    rgb = np.full((480, 640, 3), (60, 70, 90), np.uint8)
    y = 100 + i % 40
    rgb[y : y + 150, 120:250] = 240
    return rgb


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "squares.mp4"
    with clips.Writer(path, fps=15) as writer:
        for i in range(30):
            writer.write(square(i))
    return path


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., str]]:
    """Servers on the loopback address: serve(detector, **options) → address."""
    running = []

    def start(detector: Any = bright, **options: Any) -> str:
        app = web.create_app(detector, **options)
        server = web.Server(app, port=0)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((app, server, thread))
        return server.address

    yield start
    for app, server, thread in running:
        server.stop()
        thread.join(20)
        app.extensions["close"]()


@pytest.fixture(scope="module")
def address(serve: Callable[..., str], clip: Path) -> str:
    return serve(camera=str(clip))


@pytest.fixture(scope="module")
def chromium(launch: Callable, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A browser whose camera shows the square."""
    camera = y4m(tmp_path_factory.mktemp("camera") / "camera.y4m", [square(i) for i in range(40)])
    return launch(*CAMERA, f"--use-file-for-fake-video-capture={camera}").context.browser


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Any]:
    """The page in a window of its own; nothing may break its content policy or fail in its script."""
    yield from opened(chromium, address)


def opened(chromium: Any, address: str, **how: Any) -> Iterator[Any]:
    context = chromium.new_context(**how)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.add_init_script(
        "window.tracks = []; const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "navigator.mediaDevices.getUserMedia = async (wish) => {"
        " const got = await ask(wish); tracks.push(...got.getTracks()); return got };"
    )
    page.goto(address)
    yield page
    context.close()
    assert not [words for words in said if "error:" in words or "Policy" in words]


def says(page: Any, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('#said').textContent.includes(words)", arg=words, timeout=WAIT
    )


def counted(page: Any, name: str, count: int) -> None:
    script = "([name, n]) => document.querySelector(`[data-name=${name}] b`).textContent === String(n)"
    page.wait_for_function(script, arg=[name, count], timeout=WAIT)


def extent(page: Any, what: str) -> list[float]:
    """Left, top, right, bottom of the green on a canvas or picture, as shares of it."""
    return helpers.extent(page.locator(what), GREEN, apart=40)


def camera_threads() -> int:
    return sum(t.name == "server's camera" for t in threading.enumerate())


def test_a_picture_is_chosen_and_shown_with_its_box(page: Any, tmp_path: Path) -> None:
    page.set_input_files("#file", images.write(tmp_path / "me & you.png", square()))
    says(page, "1 face.")
    counted(page, "with_mask", 1)
    x1, _, x2, _ = extent(page, "#picture")
    assert 0.17 < x1 < 0.2 and 0.38 < x2 < 0.42 and "Mask 97.0 %" in page.locator("#picture").get_attribute("alt")
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "me & you-annotated.jpg" and images.read(download.value.path()).any()
    with page.expect_download() as download:
        page.click("#answers")
    assert '"with_mask": 1' in Path(download.value.path()).read_text()
    before = page.locator("#picture").get_attribute("src")
    page.check("#blur")
    page.wait_for_function("src => document.querySelector('#picture').src !== src", arg=before, timeout=WAIT)


def test_a_picture_is_dropped_or_pasted(page: Any) -> None:
    bring = """async ([kind, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "a.png", { type: "image/png" }));
        const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
        document.body.dispatchEvent(event);
    }"""
    for kind in ("drop", "paste"):
        page.click("#tab-mine")
        page.evaluate(bring, [kind, list(images.encode(square(), ".png"))])
        says(page, "1 face.")
        assert page.locator("#tab-file").get_attribute("aria-selected") == "true"


def test_what_is_no_picture_is_said(page: Any, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    page.set_input_files("#file", tmp_path / "a.jpg")
    says(page, "This is no picture that is taken")
    assert page.locator("#said.trouble").count() == 1 and page.locator("#stage").is_hidden()


def test_a_video_is_a_job_with_progress_that_plays_at_the_end(page: Any, clip: Path) -> None:
    page.set_input_files("#file", clip)
    page.wait_for_selector("#job:not([hidden])")
    says(page, "30 frames")
    counted(page, "with_mask", 1)
    page.wait_for_function("() => document.querySelector('#clip').readyState >= 2", timeout=WAIT)
    assert page.locator("#clip").evaluate("clip => [clip.videoWidth, clip.videoHeight]") == [640, 480]
    assert page.locator("#job").is_hidden()
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "squares-annotated.mp4"


def test_a_video_can_be_cancelled(chromium: Any, serve: Callable[..., str], clip: Path) -> None:
    go = threading.Event()

    def waiting(rgb: np.ndarray) -> sv.Detections:
        go.wait(30)
        return bright(rgb)

    for page in opened(chromium, serve(waiting)):
        page.set_input_files("#file", clip)
        says(page, "Looking: frame 0 of 30")
        page.click("#cancel")
        says(page, "Cancelled")
        go.set()
        page.set_input_files("#file", clip)
        says(page, "30 frames")


def test_this_browsers_camera_gets_boxes_and_is_let_go(page: Any) -> None:
    page.click("#tab-mine")
    page.click("#go-mine")
    counted(page, "with_mask", 1)
    x1, _, x2, _ = extent(page, "#boxes")  # mirrored: the square of the left half is shown in the right one
    assert 0.57 < x1 < 0.63 and 0.78 < x2 < 0.85
    page.uncheck("#mirror")
    page.wait_for_timeout(300)
    assert extent(page, "#boxes")[0] < 0.23 and "frames/s" in page.locator("#speed").inner_text()
    assert page.evaluate("tracks.map((track) => track.readyState)") == ["live"]
    page.click("#go-mine")
    assert page.evaluate("tracks.map((track) => track.readyState)") == ["ended"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("() => Promise.reject(new DOMException('no', 'NotAllowedError'))", "does not give the camera"),
        ("() => Promise.reject(new DOMException('no', 'NotFoundError'))", "no camera at this computer"),
        ("undefined", "only to secure pages"),
    ],
)
def test_a_camera_that_is_not_given_is_a_sentence(page: Any, script: str, words: str) -> None:
    page.evaluate(f"void (navigator.mediaDevices.getUserMedia = {script})")
    page.click("#tab-mine")
    page.click("#go-mine")
    says(page, words)
    assert page.locator("#go-mine").inner_text() == "Start"


def test_the_servers_camera_is_shown_and_let_go(page: Any) -> None:
    page.click("#tab-theirs")
    page.click("#go-theirs")
    counted(page, "with_mask", 1)
    x1, _, x2, _ = extent(page, "#frame")
    assert 0.17 < x1 < 0.2 and 0.38 < x2 < 0.42 and camera_threads() == 1
    other = page.context.new_page()
    other.goto(page.url)
    other.click("#tab-theirs")
    other.click("#go-theirs")
    counted(other, "with_mask", 1)
    assert camera_threads() == 1
    page.click("#go-theirs")
    other.goto("about:blank")  # who leaves the page leaves the camera
    for _ in range(100):
        if not camera_threads():
            break
        page.wait_for_timeout(100)
    assert camera_threads() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_small_phone(chromium: Any, address: str, tmp_path: Path, scheme: str) -> None:
    how = {"viewport": {"width": 320, "height": 640}, "color_scheme": scheme, "has_touch": True, "is_mobile": True}
    for page in opened(chromium, address, **how):
        page.set_input_files("#file", images.write(tmp_path / "a.png", square()))
        says(page, "1 face.")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        for button in page.locator("button:visible, .button:visible, .check:visible").all():
            assert button.bounding_box()["height"] >= 43, button.inner_text()
        grounds = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert (max(grounds) < 60) == (scheme == "dark")
        page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)


def test_it_can_be_used_by_keyboard(page: Any) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.locator("#panel-mine").is_visible() and page.locator("#panel-file").is_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    counted(page, "with_mask", 1)
    page.keyboard.press("Enter")
    assert page.locator("#go-mine").inner_text() == "Start"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"


def test_another_site_cannot_use_the_server(page: Any, address: str, tmp_path: Path) -> None:
    """A page of another origin, in the same browser: it gets no answer, and the camera is not started."""
    (tmp_path / "index.html").write_text("<p>elsewhere")
    handler = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *a: None})
    site = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0),
        lambda *a: handler(*a, directory=str(tmp_path)),  # type: ignore[arg-type]
    )
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    try:
        other = page.context.new_page()
        other.goto(f"http://127.0.0.1:{site.server_port}/")
        said = other.evaluate(
            """async (address) => {
                const ways = [["/api/camera", { method: "POST", mode: "no-cors" }], ["/metrics", { mode: "no-cors" }],
                    ["/api/detect", { method: "POST", body: "x" }], ["/health", {}]];
                const ends = [];
                for (const [path, how] of ways)
                    ends.push(await fetch(address + path, how).then((answer) => answer.type, () => "no"));
                const image = new Image();
                image.src = address + "/static/icon.svg";
                ends.push(await image.decode().then(() => "shown", () => "no"));
                return ends;
            }""",
            address,
        )
        assert set(said) <= {"no", "opaque"} and said[4] == "no" and camera_threads() == 0
    finally:
        site.shutdown()
        site.server_close()
        thread.join()


def test_a_real_person_by_the_shipped_model(
    launch: Callable, serve: Callable[..., str], shared: Path, weights: Path, tmp_path: Path
) -> None:
    film = shared / "data/videos/woman_masked_at_desk.mp4"
    camera = y4m(tmp_path / "person.y4m", [rgb for _, rgb in clips.frames(film)][:60])
    chromium = launch(*CAMERA, f"--use-file-for-fake-video-capture={camera}").context.browser
    for page in opened(chromium, serve(detect.MaskDetector.load("full"))):
        page.click("#tab-mine")
        page.uncheck("#mirror")
        page.click("#go-mine")
        counted(page, "with_mask", 1)
        x1, y1, x2, y2 = extent(page, "#boxes")
        page.screenshot(path=tmp_path / "person.png")
        page.click("#go-mine")
        assert 0.25 < (x1 + x2) / 2 < 0.75 and y2 - y1 > 0.2
