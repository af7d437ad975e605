"""The phone's app in headless Chromium: parity with Python, frames a second beside the server's way, memory.

    python tests/benchmarks/app.py parity --photos FOLDER [--most 50]     # boxes and probabilities of both
    python tests/benchmarks/app.py pace --clip CLIP [--seconds 20]        # the app, and JPEG to Python and back
    python tests/benchmarks/app.py memory --clip CLIP [--frames 2000]     # the runtime's and the page's, over frames

--model is the card of a one-look model (default: the one that ships). Wall time counts what else the machine does; the
load is printed. Needs Chromium, and what `make app-runtime` fetches. Figures go to standard output as JSON.
"""

import argparse
import contextlib
import itertools
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from lib import app, assets, boxes, clips, detect, images, web

FRAMES = 60  # of a clip, as the camera's


@contextlib.contextmanager
def page_of(model: str, camera: Path | None = None) -> Iterator[Any]:
    """The app in a browser with threads, as `python -m lib serve` shows it, once it is ready."""
    with contextlib.ExitStack() as until:
        work = Path(until.enter_context(tempfile.TemporaryDirectory()))
        served = web.create_app(detect.load(model), pocket=app.build(work / "app", model=model))
        server = web.Server(served, port=0)
        thread = threading.Thread(target=server.run)
        thread.start()
        until.callback(served.extensions["close"])
        until.callback(thread.join)
        until.callback(server.stop)
        playwright = until.enter_context(sync_playwright())
        options = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        options += [f"--use-file-for-fake-video-capture={camera}"] if camera else []
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = playwright.chromium.launch(executable_path=program, args=[*options, "--enable-precise-memory-info"])
        until.callback(browser.close)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{server.address}/app/")
        page.wait_for_function("() => !document.querySelector('#go').disabled", timeout=180_000)
        yield page


def parity(page: Any, wish: argparse.Namespace) -> dict[str, Any]:
    """The same photos to both: how many faces are the same, and how far their probabilities are apart."""
    runner = detect.OneLook.load(wish.model)
    photos = images.find(wish.photos)
    photos = [photos[i] for i in np.linspace(0, len(photos) - 1, min(wish.most, len(photos))).astype(int)]
    page.evaluate(
        "() => document.body.append(Object.assign(document.createElement('input'), { type: 'file', id: 'one' }))"
    )
    worst, apart, pairs, both = [], [], 0, [0, 0]
    for photo in photos:
        page.set_input_files("#one", photo)
        told = page.evaluate(
            """async (least) => {
                const { look, opened } = await import("./page.js");
                const { faces } = await look(await opened(document.querySelector("#one").files[0]));
                return faces.filter((face) => face.score >= least);
            }""",
            runner.min_score,
        )
        found = runner(images.read(photo))
        both = [both[0] + len(found), both[1] + len(told)]
        if not len(found) or not told:
            continue
        overlap = boxes.iou(np.asarray(found.xyxy, float), np.array([face["xyxy"] for face in told]))
        owner = overlap.argmax(axis=1)
        same = overlap.max(axis=1) >= 0.9
        pairs += int(same.sum())
        theirs = np.array([face["probabilities"] for face in told])[owner]
        worst += overlap.max(axis=1)[same].tolist()
        apart += np.abs(theirs - found.data["probabilities"]).max(axis=1)[same].tolist()
    figures = {"photos": len(photos), "faces_python": both[0], "faces_browser": both[1], "same_at_iou_0.9": pairs}
    more = {"mean_iou": float(np.mean(worst)), "probability_apart_max": max(apart), "mean": float(np.mean(apart))}
    return figures | more | {"probability_apart_above_0.02": int((np.array(apart) > 0.02).sum())}


def pace(page: Any, wish: argparse.Namespace) -> dict[str, Any]:
    """Frames a second of the app's camera, then of the web page's, which sends JPEG to Python, in the same browser."""
    figures: dict[str, Any] = {"about": page.inner_text("#about"), "load": os.getloadavg()}
    page.click("#go")
    figures["app"] = _beats(page, wish.seconds)
    figures["counts"] = page.inner_text("#legend").split()
    page.screenshot(path=wish.shot) if wish.shot else None
    page.click("#go")
    page.goto(page.url.replace("/app/", "/"))
    page.click("#tab-mine")
    page.click("#go-mine")
    figures["server"] = _beats(page, wish.seconds)
    return figures


def _beats(page: Any, seconds: float) -> float:
    """How often a second the words about the speed were renewed."""
    page.wait_for_function("() => document.querySelector('#speed').textContent.includes('frames/s')", timeout=180_000)
    count = page.evaluate(
        """(ms) => new Promise((resolve) => {
            let count = 0;
            const watch = new MutationObserver(() => { count++; });
            watch.observe(document.querySelector("#speed"), { childList: true, characterData: true, subtree: true });
            setTimeout(() => { watch.disconnect(); resolve(count); }, ms);
        })""",
        1000 * seconds,
    )
    return round(count / seconds, 2)


def memory(page: Any, wish: argparse.Namespace) -> dict[str, Any]:
    """The runtime's memory and the page's, in MB, ten times over so many frames that are looked at."""
    rgb = next(rgb for _, rgb in clips.frames(wish.clip))
    ok, png = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    assert ok
    page.evaluate(
        "() => document.body.append(Object.assign(document.createElement('input'), { type: 'file', id: 'one' }))"
    )
    page.set_input_files("#one", {"name": "a.png", "mimeType": "image/png", "buffer": png.tobytes()})
    rows = []
    for _ in range(10):
        rows.append(
            page.evaluate(
                """async (frames) => {
                    const { look, opened } = await import("./page.js");
                    const canvas = await opened(document.querySelector("#one").files[0]);
                    let memory = 0;
                    for (let i = 0; i < frames; i++) ({ memory } = await look(canvas));
                    return [memory / 1e6, performance.memory.usedJSHeapSize / 1e6];
                }""",
                wish.frames // 10,
            )
        )
    return {
        "frames": wish.frames,
        "runtime_mb": [row[0] for row in rows],
        "page_mb": [round(row[1], 1) for row in rows],
    }


def filmed(clip: Path, into: Path) -> Path:
    """A clip's first frames as a file that Chromium takes for a camera."""
    frames = [rgb for _, rgb in itertools.islice(clips.frames(clip), FRAMES)]
    with into.open("wb") as file:
        h, w = (side // 2 * 2 for side in frames[0].shape[:2])
        file.write(f"YUV4MPEG2 W{w} H{h} F15:1 Ip A1:1 C420jpeg\n".encode())
        for rgb in frames:
            plane = cv2.cvtColor(np.ascontiguousarray(rgb[:h, :w]), cv2.COLOR_RGB2YUV_I420)
            file.write(b"FRAME\n" + plane.tobytes())
    return into


def shipped() -> str:
    """The model that the app takes by itself."""
    there = [name for name in app.MODELS if (assets.models() / f"{name}.json").is_file()]
    return there[0] if there else app.MODELS[-1]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("what", choices=["parity", "pace", "memory"])
    asked.add_argument("--model", default=shipped())
    asked.add_argument("--photos", type=Path)
    asked.add_argument("--most", type=int, default=50)
    asked.add_argument("--clip", type=Path)
    asked.add_argument("--seconds", type=float, default=20.0)
    asked.add_argument("--frames", type=int, default=2000)
    asked.add_argument("--shot", help="A picture of the app at work, as PNG.")
    wish = asked.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        camera = filmed(wish.clip, Path(work) / "camera.y4m") if wish.what == "pace" else None
        with page_of(wish.model, camera) as page:
            figures = {"parity": parity, "pace": pace, "memory": memory}[wish.what](page, wish)
    print(json.dumps(figures | {"seconds": round(time.monotonic() - began)}, indent=1))


if __name__ == "__main__":
    main()
