"""The labeller in Notebook 7, and with a kernel whose files the page's server does not have."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
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


@contextmanager
def far_away(port: int, *, seconds: float) -> Iterator[int]:
    """A port on which all that goes to and from another comes late: the line to a kernel on another machine."""

    def carry(source: socket.socket, target: socket.socket) -> None:
        late: list[tuple[float, bytes]] = []
        arrived = threading.Event()

        def deliver() -> None:
            while arrived.wait():
                due, part = late.pop(0)
                if not late:
                    arrived.clear()
                time.sleep(max(0.0, due - time.monotonic()))
                if not part:
                    return shut(target)
                try:
                    target.sendall(part)
                except OSError:
                    return shut(target)

        threading.Thread(target=deliver, daemon=True).start()
        part = b"-"
        while part:
            try:
                part = source.recv(65536)
            except OSError:
                part = b""
            late.append((time.monotonic() + seconds, part))
            arrived.set()

    def shut(end: socket.socket) -> None:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        end.close()

    def listen(door: socket.socket) -> None:
        while True:
            try:
                here, _ = door.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", port))
            for pair in ((here, there), (there, here)):
                threading.Thread(target=carry, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=listen, args=(door,), daemon=True).start()
        yield door.getsockname()[1]
