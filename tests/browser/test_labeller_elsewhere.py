"""The labeller in Notebook 7, and with a kernel whose files the page's server does not have."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SHOWN, running
from test_labeller_in_lab import boxes, drag, faces_of

from lib import labels

CELL = """
import os, pandas as pd
os.chdir({there!r})
from lib import labeller
labeller.Labeller(pd.read_pickle("faces.pkl"), into="labels", order="file")
"""


def draw_and_reload(lab: Any, page: Any, there: Path, *, at: str = "lab/tree") -> None:
    """Draw a box in a notebook of `lab` whose kernel works in another folder, class it, undo, save, reload."""
    labels.table(faces_of(there, "a.jpg", (50, 60, 150, 200))).to_pickle(there / "faces.pkl")
    lab.notebook("elsewhere.ipynb", CELL.format(there=str(there)))
    lab.run(page, "elsewhere.ipynb", at=at)
    page.locator(".fm-box").first.wait_for(timeout=60_000)
    page.locator(".fm-img").scroll_into_view_if_needed()
    note = there / "labels" / "a.xml"
    drag(page, (300, 100), (420, 260))
    page.keyboard.press("2")
    lab.until(lambda: len(boxes(note)) == 2 and labels.read_voc(note)["label"][1] == "without_mask")
    page.keyboard.press("3")
    lab.until(lambda: labels.read_voc(note)["label"][1] == "mask_worn_incorrectly")
    page.keyboard.press("Control+z")
    lab.until(lambda: labels.read_voc(note)["label"][1] == "without_mask")
    lab.run(page, "elsewhere.ipynb", at=at)
    page.locator(".fm-box").nth(1).wait_for(timeout=60_000)
    assert page.locator(".fm-box").all_inner_texts()[1] == "No mask"
    assert np.allclose(boxes(note), [[50, 60, 150, 200], [300, 100, 420, 260]], atol=3)
    assert page.locator(".jp-Cell").count() == 1


def test_a_box_drawn_in_notebook_7_is_there_after_a_reload(launch, tmp_path):
    pytest.importorskip("notebook", reason="Notebook 7 is not installed (pip install notebook)")
    there = tmp_path / "photos"
    there.mkdir()
    with running(tmp_path / "server", SHOWN, app="notebook") as book:
        draw_and_reload(book, launch(), there, at="notebooks")


def test_a_kernel_whose_folder_the_server_cannot_see_serves(lab, launch, tmp_path):
    """As with a kernel on another machine: nothing comes by file or address, all through the kernel's messages."""
    page, asked = launch(), []
    page.on("request", lambda request: asked.append(request.url))
    draw_and_reload(lab, page, tmp_path)
    assert any("/api/kernels" in url for url in asked)
    assert not [url for url in asked if "a.jpg" in url or ".pkl" in url or "/files/" in url]
