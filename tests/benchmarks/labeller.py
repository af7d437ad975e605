"""How fluid the labeller and the wall are in a real JupyterLab and Chromium, with a hundred boxes and a thousand crops.

    python -m tests.benchmarks.labeller

Prints milliseconds from frame to frame while a box of a hundred is dragged over a photo of 4,000 pixels, and from key
to picture while a thousand crops are leafed through, page by page. Needs Chromium.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from lib import images, labels

from ..browser import conftest

MOVES, FACES, SIDE = 120, 1000, 60
LABELLER = """
import pandas as pd
from lib import labeller
labeller.Labeller(pd.read_pickle("faces.pkl"), into="labels", order="file")
"""
WALL = LABELLER.replace("Labeller(", "CropWall(").replace(', order="file"', "")


def faces_of(path: Path, boxes: np.ndarray, size: tuple[int, int]) -> list[dict[str, Any]]:
    """A photo of noise with these boxes (n, 4)."""
    small = np.random.default_rng(0).integers(60, 200, (size[1] // 50, size[0] // 50, 3)).astype(np.uint8)
    images.write(path, np.kron(small, np.ones((50, 50, 1), np.uint8)))
    common = dict(image=path.name, label="with_mask", origin="auto", score=0.8, answer="with_mask", doubt=0.2)
    return [common | dict(zip(("x1", "y1", "x2", "y2"), map(float, box), strict=True)) for box in boxes]


def said(name: str, times: np.ndarray) -> None:
    """Print the middle, the slow twentieth and the slowest of some times."""
    middle, slow = np.percentile(times, (50, 95))
    print(f"{name}: median {middle:.0f} ms, 95 % below {slow:.0f} ms, slowest {times.max():.0f} ms, n = {len(times)}")


def drag(lab: conftest.Lab, page: Any) -> None:
    """A box of a hundred on 4000 × 3000 pixels, dragged over the photo."""
    grid = np.array([(40 + 390 * (i % 10), 30 + 290 * (i // 10)) for i in range(100)])
    rows = faces_of(lab.root / "big.jpg", np.hstack([grid, grid + (300, 250)]), (4000, 3000))
    labels.table(rows).to_pickle(lab.root / "faces.pkl")
    lab.run(page, lab.notebook("drag.ipynb", LABELLER))
    page.locator(".fm-box:nth-child(100)").wait_for(timeout=60_000)
    rim = page.locator(".fm-img").bounding_box()
    x, y = rim["x"] + 190 * rim["width"] / 4000, rim["y"] + 155 * rim["width"] / 4000
    page.evaluate("window.frames_ = []; (function tick(t) { window.frames_.push(t); requestAnimationFrame(tick) })(0)")
    page.mouse.move(x, y)
    page.mouse.down()
    for i in range(MOVES):
        page.mouse.move(x + 3 * i, y + 2 * i)
    page.mouse.up()
    said("frame to frame, a hundred boxes on 4000 × 3000 pixels", np.diff(page.evaluate("window.frames_.slice(2)")))


def leaf(lab: conftest.Lab, page: Any) -> None:
    """A thousand crops of a hundred photos, page after page, each as soon as the one before is shown."""
    boxes = np.array([(60 * i, 60, 60 * i + SIDE, 60 + SIDE) for i in range(10)])
    rows = [row for n in range(FACES // 10) for row in faces_of(lab.root / f"{n:03}.jpg", boxes, (600, 400))]
    labels.table(rows).to_pickle(lab.root / "faces.pkl")
    lab.run(page, lab.notebook("leaf.ipynb", WALL))
    page.locator(".fw-cell img").first.wait_for(timeout=60_000)
    times = []
    for _ in range(1, -(-FACES // 60)):
        times.append(
            page.evaluate(
                """async () => {
                const start = performance.now(), before = document.querySelector(".fw-cell");
                before.dispatchEvent(new KeyboardEvent("keydown", {key: "PageDown", bubbles: true}));
                while (document.querySelector(".fw-cell") === before) await new Promise(requestAnimationFrame);
                await Promise.all([...document.querySelectorAll(".fw-cell img")].map((img) => img.decode()));
                return performance.now() - start;
            }"""
            )
        )
        page.wait_for_timeout(300)  # a person looks; meanwhile the next page comes
    said(f"page to page of {FACES} crops, sixty a page", np.array(times))


def main() -> None:
    """Start a server and a browser of our own, and measure."""
    from playwright.sync_api import sync_playwright

    home = Path(tempfile.mkdtemp())
    try:
        with conftest.running(home, conftest.SHOWN) as lab, sync_playwright() as playwright:
            program = next(filter(None, map(shutil.which, conftest.BROWSERS)))
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            drag(lab, browser.new_page(viewport={"width": 1280, "height": 900}))
            leaf(lab, browser.new_page(viewport={"width": 1280, "height": 900}))
            browser.close()
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
