"""The real labelImg, driven by mouse and keys on a virtual display: draw, class, save, zoom, scroll, next, reopen."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import helpers
import numpy as np
import pytest
from helpers import until

from lib import images, labels, prelabel


@pytest.fixture
def display(monkeypatch) -> Iterator[str]:
    """A virtual screen with a window manager; skipped, and counted, where the programs are not installed."""
    pytest.importorskip("PyQt5", reason="labelImg: PyQt5 is not installed")
    pytest.importorskip("labelImg", reason="labelImg is not installed")
    try:
        prelabel._need_libraries()
    except prelabel.NoWindow as trouble:
        pytest.skip(str(trouble))
    with helpers.virtual_screen(monkeypatch, size="1280x900"):
        yield os.environ["DISPLAY"]


def keys(*words: object) -> str:
    return subprocess.run(["xdotool", *map(str, words)], check=True, capture_output=True, text=True).stdout.strip()


def drag(start: tuple[int, int], end: tuple[int, int]) -> None:
    keys("mousemove", *start, "mousedown", 1)
    for step in range(1, 11):
        keys("mousemove", *(round(a + (b - a) * step / 10) for a, b in zip(start, end, strict=True)), "sleep", 0.02)
    keys("mouseup", 1)


def open_window(process: subprocess.Popen) -> None:
    search = ["xdotool", "search", "--onlyvisible", "--pid", str(process.pid), "--name", "labelImg"]

    def window() -> str:
        assert process.poll() is None, f"labelImg ended with {process.returncode}"
        return subprocess.run(search, capture_output=True, text=True, check=False).stdout.split("\n")[0]

    number = until(window, "labelImg's window")
    activate = ["xdotool", "windowactivate", "--sync", number]  # refused until the window manager is there
    until(lambda: subprocess.run(activate, capture_output=True, check=False).returncode == 0, "the window manager")
    keys("windowsize", "--sync", number, 1200, 800)
    keys("windowmove", "--sync", number, 10, 20)
    keys("key", "ctrl+f", "sleep", 0.5)


def test_a_box_drawn_in_labelimg_is_saved_and_found_again(tmp_path, display, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    photos, into = tmp_path / "photos", tmp_path / "labels"
    for name, grey in (("a", 90), ("sub, ü/b", 160)):
        images.write(photos / f"{name}.jpg", np.full((400, 600, 3), grey, np.uint8))
    ours = labels.table([dict(image="b.jpg", x1=0, y1=0, x2=60, y2=80, label="with_mask", origin="auto", score=0.9)])
    b = labels.write_voc(into / "sub, ü" / "b.xml", ours, size=(600, 400))  # as prelabel puts it
    process = prelabel.label_img(photos, into=into)
    try:
        open_window(process)
        keys("key", "w", "sleep", 0.2)
        drag((420, 300), (620, 520))
        keys("sleep", 0.4, "type", "without_mask")
        keys("sleep", 0.2, "key", "Return", "sleep", 0.2, "key", "Return", "sleep", 0.2, "key", "ctrl+s")
        until((into / "a.xml").is_file, "the saved file")
        drawn = until(lambda: labels.read_voc(into / "a.xml").to_dict("records"), "a box in it")[0]
        assert drawn["label"] == "without_mask" and drawn["origin"] == "manual"
        assert drawn["x2"] - drawn["x1"] > 50 and drawn["y2"] - drawn["y1"] > 50
        assert labels.owner(into / "a.xml") == "manual"

        keys("mousemove", 600, 450)
        for button in (4, 5, 5):  # wheel, then zoom
            keys("click", button, "keydown", "ctrl", "click", button, "keyup", "ctrl", "sleep", 0.1)
        keys("key", "ctrl+plus", "sleep", 0.1, "key", "ctrl+plus", "sleep", 0.2, "key", "ctrl+shift+p", "sleep", 0.2)
        drag((500, 600), (400, 500))  # pan, with the labels shown
        assert process.poll() is None

        keys("key", "d", "sleep", 0.5)  # the next photo holds the machine's box; an untouched file stays
        before = b.read_bytes()
        assert labels.owner(b) == "auto"
        keys("key", "a", "sleep", 0.5, "key", "space", "sleep", 0.5)  # back to the first, "verified": saved once more
        assert labels.read_voc(into / "a.xml").attrs["verified"]
        again = labels.read_voc(into / "a.xml").to_dict("records")
        assert [(r["x1"], r["y1"], r["x2"], r["y2"]) for r in again] == [
            (drawn["x1"], drawn["y1"], drawn["x2"], drawn["y2"])
        ]
        assert b.read_bytes() == before
        keys("key", "d", "sleep", 0.5, "key", "space", "sleep", 0.5)  # saved by a person: now it is his, box for box
        his = labels.read_voc(b).iloc[0]
        assert labels.owner(b) == "manual" and his["label"] == "with_mask"
        assert [his[c] for c in ("x1", "y1", "x2", "y2")] == [0, 0, 60, 80]
        keys("key", "Delete", "sleep", 0.3, "key", "ctrl+s")
        until(lambda: not len(labels.read_voc(b)), "the box to go")
        assert not (into / "b.xml").exists()
        assert process.poll() is None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def test_an_image_region_is_drawn_in_opencvs_window(tmp_path, display):
    photo = images.write(tmp_path / "a.jpg", np.full((400, 600, 3), 120, np.uint8))
    pen = subprocess.Popen(["bash", "-c", PEN], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        table = prelabel.roi(photo, label="no mask", into=tmp_path)
    finally:
        pen.terminate()
        pen.wait(10)
    assert list(table["label"]) == ["without_mask"] and list(table["origin"]) == ["manual"]
    x1, y1, x2, y2 = table.loc[0, ["x1", "y1", "x2", "y2"]]
    assert x2 - x1 == pytest.approx(120, abs=6) and y2 - y1 == pytest.approx(90, abs=6)
    assert labels.owner(tmp_path / "a.xml") == "manual"


PEN = """
window=$(xdotool search --sync --onlyvisible --name 'Drag a box')
sleep 2; xdotool windowactivate --sync $window
xdotool mousemove --window $window 200 180 sleep 0.3 mousedown 1 sleep 0.3
for i in 1 2 3 4 5 6; do xdotool mousemove_relative 20 15; sleep 0.15; done
xdotool mouseup 1; sleep 1; xdotool key space; sleep 1; xdotool key Escape
"""


def test_the_launcher_leaves_the_installed_package_as_it_is():
    import libs.canvas

    source = Path(libs.canvas.__file__).read_text(encoding="utf-8")
    assert "scrollRequest = pyqtSignal(int, int)" in source
