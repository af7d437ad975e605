"""The labeller in Notebook 7, and with a kernel whose files the page's server does not have."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
    rows = faces_of(there, "a.jpg", (50, 60, 150, 200)) + faces_of(there, "b.jpg", (10, 10, 60, 80))
    labels.table(rows).to_pickle(there / "faces.pkl")
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


@dataclass
class Line:
    """A port that leads to another; what goes through, either way, is late by some seconds."""

    port: int
    late: float = 0.0
    loop: asyncio.AbstractEventLoop | None = None


@contextmanager
def far_away(port: int) -> Iterator[Line]:
    """A line to a port of this machine, as slow as one to another machine."""
    line, ready, end = Line(0), threading.Event(), asyncio.Event()

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        later = asyncio.get_running_loop().call_later
        while part := await source.read(65536):
            later(line.late, target.write, part)
        later(line.late, target.close)

    async def connect(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(carry(source, back), carry(there, target), return_exceptions=True)
            await asyncio.sleep(line.late)
        finally:
            back.transport.abort()
            target.transport.abort()

    async def serve() -> None:
        door = await asyncio.start_server(connect, "127.0.0.1", 0)
        line.port, line.loop = door.sockets[0].getsockname()[1], asyncio.get_running_loop()
        ready.set()
        await end.wait()
        door.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))  # Playwright has a loop in ours
    thread.start()
    assert ready.wait(10) and line.loop
    try:
        yield line
    finally:
        line.loop.call_soon_threadsafe(end.set)
        thread.join()


def test_a_kernel_far_away_whose_folder_the_server_cannot_see_serves(lab, launch, tmp_path):
    """As with a kernel on another machine: nothing comes by file or address, and no key goes to the wrong photo."""
    page, asked = launch(), []
    page.on("request", lambda request: asked.append(request.url))
    with far_away(int(lab.url.rpartition(":")[2])) as line:
        draw_and_reload(replace(lab, url=f"http://127.0.0.1:{line.port}"), page, tmp_path)
        line.late = 0.1  # 200 ms to the kernel and back
        page.locator(".fm-stage").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("3")  # the next photo is still on its way
        page.locator(".fm-where", has_text="2 of 2 · 1 done · b.jpg").wait_for()
        page.keyboard.press("2")
        lab.until((tmp_path / "labels" / "b.xml").is_file)
        assert list(labels.read_voc(tmp_path / "labels" / "b.xml")["label"]) == ["without_mask"]
        assert list(labels.read_voc(tmp_path / "labels" / "a.xml")["label"]) == ["with_mask", "without_mask"]
        page.goto("about:blank")
    assert any("/api/kernels" in url for url in asked)
    assert not [url for url in asked if "a.jpg" in url or ".pkl" in url or "/files/" in url]
