"""The labeller and the wall in a real JupyterLab, in a real Chromium: what is drawn there is found in the XML."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib import images, labels

LABELLER = """
import pandas as pd
from lib import labeller, labels
faces = pd.read_pickle("faces.pkl")
widget = labeller.Labeller(faces, into="labels", order="file")
widget
"""
WALL = """
import pandas as pd
from lib import labeller
wall = labeller.CropWall(pd.read_pickle("faces.pkl"), into="labels", per_page=24)
wall
"""


def faces_of(root: Path, name: str, *boxes: tuple[float, ...], size: tuple[int, int] = (600, 400)) -> list[dict]:
    rng = np.random.default_rng(len(name))
    small = rng.integers(60, 200, (size[1] // 50, size[0] // 50, 3)).astype(np.uint8)
    path = images.write(root / name, np.kron(small, np.ones((50, 50, 1), np.uint8)))
    common = dict(image=path.name, label="with_mask", origin="auto", score=0.8, answer="with_mask", doubt=0.2)
    return [common | dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)) for box in boxes]


@pytest.fixture
def folder(lab: Any) -> Path:
    """The server's folder, emptied of what the test before left."""
    for old in [*lab.root.glob("*.jpg"), *lab.root.glob("labels/*.xml"), *lab.root.glob("*.ipynb")]:
        old.unlink()
    return lab.root


def open_book(lab: Any, page: Any, name: str, cell: str, rows: list[dict], *, sign: str) -> Any:
    """Run a notebook with one widget; the widget, when it shows its pictures."""
    labels.table(rows).to_pickle(lab.root / "faces.pkl")
    lab.notebook(name, cell, "print('the cell below')")
    lab.run(page, name)
    page.locator(sign).first.wait_for(timeout=60_000)
    return page.locator(".fm-labeller, .fw-wall").first


def on_photo(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the photo is on the screen."""
    rim = page.locator(".fm-img").bounding_box()
    width = page.evaluate("document.querySelector('.fm-img').naturalWidth")
    scale = rim["width"] / width
    return rim["x"] + x * scale, rim["y"] + y * scale


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*on_photo(page, *start))
    page.mouse.down()
    page.mouse.move(*on_photo(page, *end), steps=8)
    page.mouse.up()


def boxes(path: Path) -> list[list[float]]:
    return labels.read_voc(path)[["x1", "y1", "x2", "y2"]].to_numpy().tolist() if path.is_file() else []


def test_a_box_drawn_classed_undone_and_saved_is_there_after_a_reload(lab, page, folder):
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    rows = faces_of(folder, "a.jpg", (50, 60, 150, 200)) + faces_of(
        folder, "b.jpg", (10, 10, 60, 80), (300, 100, 380, 220)
    )
    widget = open_book(lab, page, "draw.ipynb", LABELLER, rows, sign=".fm-box")
    note = folder / "labels" / "a.xml"
    drag(page, (300, 100), (420, 260))
    page.keyboard.press("2")
    lab.until(lambda: len(boxes(note)) == 2)
    lab.until(lambda: list(labels.read_voc(note)["label"]) == ["with_mask", "without_mask"])
    assert boxes(note)[0] == [50, 60, 150, 200] and np.allclose(boxes(note)[1], [300, 100, 420, 260], atol=2)
    assert list(labels.read_voc(note)["origin"]) == ["auto", "manual"]

    page.keyboard.press("Control+z")  # the class
    page.keyboard.press("Control+z")  # the box
    lab.until(lambda: len(boxes(note)) == 1)
    assert labels.owner(note) == "auto"  # nothing of the person's is left
    page.keyboard.press("Control+y")
    page.keyboard.press("Control+y")
    lab.until(lambda: list(labels.read_voc(note)["label"]) == ["with_mask", "without_mask"])
    page.locator(".fm-state", has_text=re.compile("^saved")).wait_for()
    assert page.locator(".jp-Cell").count() == 2  # no key went to the notebook (A, B, X, D D, M …)

    lab.run(page, "draw.ipynb")  # a new page, and the cell run anew
    page.locator(".fm-box").nth(1).wait_for(timeout=60_000)
    assert page.locator(".fm-box").all_inner_texts()[1] == "No mask"
    page.locator(".fm-stage").focus()
    page.keyboard.press("Enter")
    lab.until(lambda: labels.read_voc(note).attrs["verified"])
    page.locator(".fm-where", has_text="2 of 2 · 1 done · b.jpg").wait_for()
    assert set(labels.read_voc(note)["origin"]) == {"manual"} and widget.is_visible() and trouble == []


def test_a_keyboard_alone_is_enough(lab, page, folder):
    rows = faces_of(folder, "a.jpg", (50, 60, 150, 200), (300, 100, 380, 220)) + faces_of(
        folder, "b.jpg", (10, 10, 60, 80)
    )
    open_book(lab, page, "keys.ipynb", LABELLER, rows, sign=".fm-box")
    note = folder / "labels" / "a.xml"
    page.locator(".fm-stage").focus()
    for key in ("Tab", "Tab", "ArrowRight", "ArrowRight", "Shift+ArrowDown", "r", "ArrowLeft", "3"):
        page.keyboard.press(key)
    lab.until(lambda: boxes(note) == [[50, 60, 150, 200], [302, 110, 381, 230]])
    assert labels.read_voc(note)["label"][1] == "mask_worn_incorrectly"
    page.keyboard.press("Delete")
    page.keyboard.press("n")
    page.keyboard.press("2")
    lab.until(lambda: len(boxes(note)) == 2 and labels.read_voc(note)["label"][1] == "without_mask")
    x1, y1, x2, y2 = boxes(note)[1]
    assert (x1 + x2) / 2 == pytest.approx(300, abs=2) and (y1 + y2) / 2 == pytest.approx(200, abs=2)
    page.keyboard.press("s")
    page.locator(".fm-where", has_text="2 of 2 · 0 done · b.jpg").wait_for()
    assert not (folder / "labels" / "b.xml").exists()  # skipped: nobody said anything about it
    page.keyboard.press("b")
    page.locator(".fm-where", has_text="1 of 2").wait_for()
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("!document.activeElement.classList.contains('fm-stage')")  # Tab gets out again


def test_move_resize_zoom_with_the_mouse(lab, page, folder):
    open_book(lab, page, "mouse.ipynb", LABELLER, faces_of(folder, "a.jpg", (100, 100, 200, 200)), sign=".fm-box")
    note = folder / "labels" / "a.xml"
    drag(page, (150, 150), (180, 140))
    lab.until(lambda: boxes(note) and np.allclose(boxes(note)[0], [130, 90, 230, 190], atol=2))
    drag(page, (230, 190), (260, 240))
    lab.until(lambda: np.allclose(boxes(note)[0], [130, 90, 260, 240], atol=3))
    wide = page.locator(".fm-img").bounding_box()["width"]
    page.mouse.move(*on_photo(page, 200, 150))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    lab.until(lambda: page.locator(".fm-img").bounding_box()["width"] > 1.5 * wide)
    before = boxes(note)[0]
    drag(page, (200, 150), (210, 150))
    lab.until(lambda: boxes(note)[0][0] == pytest.approx(before[0] + 10, abs=1))
    page.get_by_role("button", name="Show the whole photo").click()
    lab.until(lambda: abs(page.locator(".fm-img").bounding_box()["width"] - wide) < 2)


def test_a_finger_draws_and_two_fingers_zoom(lab, launch, folder):
    page = launch(has_touch=True)
    open_book(lab, page, "touch.ipynb", LABELLER, faces_of(folder, "a.jpg", (100, 100, 200, 200)), sign=".fm-box")
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        spots = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})

    touch("touchStart", on_photo(page, 300, 50))
    for i in range(1, 6):
        touch("touchMove", on_photo(page, 300 + 20 * i, 50 + 25 * i))
    touch("touchEnd")
    lab.until(lambda: len(boxes(folder / "labels" / "a.xml")) == 2)
    assert np.allclose(boxes(folder / "labels" / "a.xml")[1], [300, 50, 400, 175], atol=3)
    wide = page.locator(".fm-img").bounding_box()["width"]
    x, y = on_photo(page, 300, 200)
    touch("touchStart", (x - 20, y), (x + 20, y))
    for i in range(1, 6):
        touch("touchMove", (x - 20 - 12 * i, y), (x + 20 + 12 * i, y))
    touch("touchEnd")
    lab.until(lambda: page.locator(".fm-img").bounding_box()["width"] > 2 * wide)
    assert len(boxes(folder / "labels" / "a.xml")) == 2


def test_what_others_wrote_and_what_could_not_be_written_is_not_lost(lab, page, folder):
    rows = faces_of(folder, "a.jpg", (50, 60, 150, 200)) + faces_of(folder, "b.jpg", (10, 10, 60, 80))
    open_book(lab, page, "races.ipynb", LABELLER, rows, sign=".fm-box")
    note, state = folder / "labels" / "a.xml", page.locator(".fm-state")
    his = labels.table([rows[0] | dict(origin="manual", label="without_mask", x1=1), rows[0] | dict(origin="manual")])
    labels.write_voc(note, his, size=(600, 400))
    page.locator(".fm-stage").focus()
    page.keyboard.press("3")
    state.filter(has_text="a.jpg was changed elsewhere").wait_for()
    assert page.locator(".fm-box").count() == 2 and list(labels.read_voc(note)["label"]) == [
        "without_mask",
        "with_mask",
    ]
    page.keyboard.press("Control+z")
    lab.until(lambda: list(labels.read_voc(note)["label"]) == ["mask_worn_incorrectly"])

    page.keyboard.press("s")
    page.locator(".fm-where", has_text="2 of 2").wait_for()
    (folder / "labels").rename(folder / "away")
    images.write(folder / "labels", b"no folder")  # no file can be written now
    page.keyboard.press("3")
    state.filter(has_text="not saved").wait_for()
    page.keyboard.press("b")
    page.locator(".fm-where", has_text="1 of 2").wait_for()
    assert state.inner_text().startswith("not saved")
    (folder / "labels").unlink()
    (folder / "away").rename(folder / "labels")
    page.keyboard.press("Control+s")
    lab.until((folder / "labels" / "b.xml").is_file)
    assert list(labels.read_voc(folder / "labels" / "b.xml")["label"]) == ["mask_worn_incorrectly"]
    state.filter(has_text="saved ✓").wait_for()


def test_one_of_a_hundred_boxes_on_a_large_photo_is_dragged_alone(lab, page, folder):
    many = [
        (40 + 390 * (i % 10), 30 + 290 * (i // 10), 340 + 390 * (i % 10), 280 + 290 * (i // 10)) for i in range(100)
    ]
    rows = faces_of(folder, "big.jpg", *many, size=(4000, 3000))
    open_book(lab, page, "big.ipynb", LABELLER, rows, sign=".fm-box:nth-child(100)")
    rim = page.locator(".fm-img").bounding_box()
    scale = rim["width"] / 4000
    x, y = rim["x"] + 190 * scale, rim["y"] + 155 * scale
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 500 * scale, y + 300 * scale, steps=20)
    page.mouse.up()
    note = folder / "labels" / "big.xml"
    lab.until(note.is_file)
    after = np.array(boxes(note))
    assert len(after) == 100 and np.array_equal(after[1:], many[1:])
    assert np.allclose(after[0], np.array(many[0]) + (500, 300, 500, 300), atol=2 / scale)


def test_a_click_and_a_key_flip_a_face_on_the_wall(lab, page, folder):
    rows = [
        row
        for i in range(10)
        for row in faces_of(folder, f"{i}.jpg", *((40 * j, 50, 40 * j + 35, 90) for j in range(6)))
    ]
    rows = [row | {"doubt": 1 - i / 100} for i, row in enumerate(rows)]
    open_book(lab, page, "wall.ipynb", WALL, rows, sign=".fw-cell img")
    assert page.locator(".fw-cell").count() == 24
    page.locator(".fw-cell").nth(1).click()
    note = folder / "labels" / "0.xml"
    lab.until(note.is_file)
    lab.until(lambda: list(labels.read_voc(note)["label"])[:3] == ["with_mask", "without_mask", "with_mask"])
    for key in ("ArrowRight", "3", "ArrowDown", "2"):
        page.keyboard.press(key)
    page.locator(".fw-state", has_text="3 changed, saved ✓").wait_for()
    assert labels.read_voc(note)["label"][2] == "mask_worn_incorrectly"
    page.keyboard.press("Control+z")
    page.locator(".fw-state", has_text="2 changed, saved ✓").wait_for()
    page.keyboard.press("PageDown")
    page.locator(".fw-where", has_text="25–48 of 60").wait_for()
    page.locator(".fw-tab", has_text="No mask").click()
    page.locator(".fw-empty", has_text="No faces here.").wait_for()
    assert page.locator(".jp-Cell").count() == 2
