"""What tests of several rooms need: a detector without weights, a virtual screen, patience, and a look at colours."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import supervision as sv


def bright(rgb: np.ndarray) -> sv.Detections:
    """A detector for tests: the bright part of a picture is a masked face."""
    mask = rgb.min(axis=2) > 200
    y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = [[x[0], y[0], x[-1] + 1, y[-1] + 1]] if len(x) else []
    p = np.array([[0.97, 0.02, 0.01]] * len(box), np.float32).reshape(-1, 3)
    data = {"class_name": np.array(["with_mask"] * len(box), dtype="<U21"), "probabilities": p}
    return sv.Detections(np.array(box, np.float32).reshape(-1, 4), confidence=p.max(1, initial=0), data=data)


def until(condition: Callable[[], Any], what: str = "something", *, seconds: float = 60, every: float = 0.05) -> Any:
    """Wait for something to become true; what it became."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(every)
    raise AssertionError(f"waited {seconds} s for {what}")


@contextmanager
def virtual_screen(monkeypatch: pytest.MonkeyPatch, *, size: str) -> Iterator[None]:
    """A screen of WIDTHxHEIGHT with a window manager; skipped, and counted, where the programs are not installed."""
    if missing := [tool for tool in ("Xvfb", "xdotool", "openbox") if not shutil.which(tool)]:
        pytest.skip(f"needs {', '.join(missing)} (apt install xvfb xdotool openbox)")
    read, write = os.pipe()
    screen = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(screen, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as pipe:
        monkeypatch.setenv("DISPLAY", f":{pipe.readline().strip()}")
    manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    yield
    for process in (manager, server):
        process.terminate()
        process.wait(10)


def extent(element: Any, colour: tuple[int, int, int], *, apart: int) -> list[float]:
    """Left, top, right, bottom of a colour (within `apart`) on a page's canvas or picture, as shares of it."""
    return element.evaluate(
        """(element, [r, g, b, most]) => {
            const canvas = document.createElement("canvas");
            const w = canvas.width = element.naturalWidth || element.width;
            const h = canvas.height = element.naturalHeight || element.height;
            const pen = canvas.getContext("2d");
            pen.drawImage(element, 0, 0);
            const { data } = pen.getImageData(0, 0, w, h);
            let [x1, y1, x2, y2] = [1e9, 1e9, -1, -1];
            for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
                const i = 4 * (y * w + x);
                const apart = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b);
                if (data[i + 3] > 200 && apart < most)
                    [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x), Math.max(y2, y)];
            }
            return [x1 / w, y1 / h, x2 / w, y2 / h];
        }""",
        [*map(int, colour), apart],
    )


def blots(n: int, shape: tuple[int, int], *, seed: int = 0) -> np.ndarray:
    """Canvases (n, h, w, 3) of soft blots, which drive a network of chance through its range."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (n, 6, 8, 3)).astype(np.uint8)
    return small.repeat(shape[0] // 6, axis=1).repeat(shape[1] // 8, axis=2)


def y4m(path: Path, frames: Sequence[np.ndarray]) -> Path:
    """A file that Chromium takes for a camera: rgb frames of one even size, at 15 a second."""
    h, w = frames[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{w} H{h} F15:1 Ip A1:1 C420jpeg\n".encode())
        for rgb in frames:
            file.write(b"FRAME\n" + cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path
