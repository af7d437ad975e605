"""Any source of frames behind one word: file, folder, camera, stream, standard input."""

import contextlib
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .. import clips, images

__all__ = ["CameraTrouble", "Frame", "Source", "cameras", "open"]

log = logging.getLogger(__name__)

SUFFIXES = frozenset(".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .wmv .flv .ogv .3gp .mjpeg".split())
PATIENCE = 60.0  # seconds without a frame after which a stream is given up


class CameraTrouble(OSError):
    """A camera or stream gives no picture; the message says what to do, `.state` is none, busy, refused or lost."""

    def __init__(self, message: str, *, state: str) -> None:
        super().__init__(message)
        self.state = state


@dataclass(frozen=True)
class Frame:
    """One picture of a source: seconds from its start, its number, rgb."""

    seconds: float
    number: int
    rgb: np.ndarray


class Source:
    """Frames of a file, folder, camera or stream, read by a thread of their own; made by `open`, iterated once.

    Live, the newest frame wins and `dropped` counts the others; else every frame comes. Leaving the loop or the `with`
    block, by whatever way, releases the camera. `len` is the number of frames where it is known.
    """

    def __init__(self, name: str, read: Callable[["Source"], Iterator[tuple[float, np.ndarray]]], **about: Any) -> None:
        self.name, self._read = name, read
        self.path: Path | None = about.get("path")  # of a file or folder
        self.live: bool = about.get("live", False)
        self.fps: float = about.get("fps") or 0.0
        self.count: int = about.get("count") or 0
        self.dropped = 0
        self.stopped = threading.Event()
        self._queue: queue.Queue[Any] = queue.Queue(1 if self.live else 4)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *trouble: object) -> None:
        self.close()

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        if not self.count:
            raise TypeError(f"{self.name}: nobody knows how many frames will come")
        return self.count

    def __iter__(self) -> Iterator[Frame]:
        if self._thread is not None:
            raise ValueError(f"{self.name}: was read already; open it again")
        self._thread = threading.Thread(target=self._fill, name=f"frames of {self.name}", daemon=True)
        self._thread.start()
        try:
            while True:
                item = self._next()
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.close()

    def close(self) -> None:
        """Stop reading and wait until the camera is released (at most 5 s). May be called again."""
        self.stopped.set()
        with contextlib.suppress(queue.Empty):  # the reader may take the last one at this very moment
            while True:
                self._queue.get_nowait()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)

    def _next(self) -> Any:
        while not self.stopped.is_set():
            try:
                return self._queue.get(timeout=0.2)  # wakes up now and then, so that Ctrl-C is heard everywhere
            except queue.Empty:
                continue
        return None

    def _fill(self) -> None:
        last: BaseException | None = None
        pictures = self._read(self)
        try:
            for number, (seconds, rgb) in enumerate(pictures):
                if self.stopped.is_set():
                    return
                self._put(Frame(seconds, number, rgb))
        except Exception as trouble:  # handed to whoever waits for the frames
            last = trouble
        finally:
            pictures.close()  # type: ignore[attr-defined]  # a generator: its `finally` releases the camera here
            self._put(last, must=True)

    def _put(self, item: Any, *, must: bool = False) -> None:
        while not self.stopped.is_set():
            try:
                return self._queue.put(item, timeout=0.1 if must or not self.live else 0)
            except queue.Full:
                if self.live and not must:
                    self._drop()

    def _drop(self) -> None:
        try:
            self._queue.get_nowait()
            self.dropped += 1
        except queue.Empty:
            pass


def open(source: str | Path | int, *, live: bool | None = None, loop: bool = False) -> Source:
    """A source of frames: a video file, a picture or folder of pictures, a camera's number or name, an address, or
    "-" for a video on standard input.

    live: cameras and endless streams are; a file is when asked, and then plays at its own speed, again and again with
    loop. Raises FileNotFoundError, ValueError at once; CameraTrouble while reading.
    """
    text = str(source)
    if isinstance(source, int) or text.isdigit() or text.startswith("/dev/video"):
        return Source(f"camera {text}", lambda s: _camera(int(text.removeprefix("/dev/video"))), live=True)
    if "://" in text:
        web = text.split("://")[0].lower() in ("http", "https")  # an address of another kind is live whatever its name
        endless = not web or Path(text.split("?")[0]).suffix.lower() not in SUFFIXES
        return Source(text, lambda s: _stream(s, text, endless), live=endless if live is None else live)
    if text == "-":
        return Source("standard input", lambda s: clips.frames(sys.stdin.buffer), live=bool(live))
    path = Path(source)
    if path.is_dir() or path.suffix.lower() in images.SUFFIXES and path.is_file():
        return _pictures(path, live=bool(live), loop=loop)
    if not path.exists():
        number = next((n for n, name in cameras().items() if text.lower() in name.lower()), None)
        if number is not None:
            return open(number)
        known = "; ".join(f"{n}: {name}" for n, name in cameras().items()) or "none"
        raise FileNotFoundError(f"source: {text} is no file, and no camera's name (cameras here: {known})")
    about = clips.about(path)

    def read(s: Source) -> Iterator[tuple[float, np.ndarray]]:
        return _paced(s, lambda: clips.frames(path), loop) if live else clips.frames(path)

    return Source(
        path.name, read, live=bool(live), path=path, fps=about.fps, count=0 if live and loop else about.frames
    )


def cameras() -> dict[int, str]:
    """Numbers and names of the cameras of this machine; known on Linux only, else empty (try number 0)."""
    found = {}
    for folder in sorted(Path("/sys/class/video4linux").glob("video*")):
        try:
            if (folder / "index").read_text().strip() == "0":  # further nodes of a camera carry no picture
                found[int(folder.name.removeprefix("video"))] = (folder / "name").read_text().strip()
        except (OSError, ValueError):
            continue
    return found


def _pictures(path: Path, *, live: bool, loop: bool, fps: float = 2.0) -> Source:
    """A picture or a folder of them as a slow film; one that cannot be read is left out with a word in the log."""
    files = images.find(path) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"folder: {path} holds no pictures ({', '.join(sorted(images.SUFFIXES))})")

    def read() -> Iterator[tuple[float, np.ndarray]]:
        count = 0
        for i, file in enumerate(files):
            try:
                yield i / fps, images.read(file)
            except images.UnreadableImage as trouble:
                log.warning("left out: %s", trouble)
            else:
                count += 1
        if not count:
            raise ValueError(f"{path}: no picture could be read")

    return Source(
        path.name, lambda s: _paced(s, read, loop) if live else read(), path=path, live=live, fps=fps, count=len(files)
    )


def _paced(
    source: Source, read: Callable[[], Iterator[tuple[float, np.ndarray]]], loop: bool
) -> Iterator[tuple[float, np.ndarray]]:
    """Frames at the speed at which they were taken; in a loop, time goes on."""
    start, shift, last, step = time.monotonic(), 0.0, 0.0, 0.04
    while True:
        for seconds, rgb in read():
            step = max(shift + seconds - last, 0.0) or step
            last = shift + seconds
            if source.stopped.wait(max(0.0, start + last - time.monotonic())):
                return
            yield last, rgb
        if not loop:
            return
        shift = last + step


def _camera(number: int) -> Iterator[tuple[float, np.ndarray]]:
    _check_camera(number)
    capture, start, count = cv2.VideoCapture(number), time.monotonic(), 0
    try:
        while capture.isOpened():
            ok, bgr = capture.read()
            if not ok:
                break
            count += 1
            yield time.monotonic() - start, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
    if count:
        raise CameraTrouble(f"camera {number} gives no more pictures; was it unplugged? Start again", state="lost")
    raise CameraTrouble(
        f"camera {number} gives no picture: another program may be using it. Close it (a video call?) and start again",
        state="busy",
    )


def _check_camera(number: int) -> None:
    """Say what is wrong before OpenCV prints its own lines about it (Linux; elsewhere only OpenCV knows)."""
    if not sys.platform.startswith("linux"):
        return
    device = Path(f"/dev/video{number}")
    if not device.exists():
        known = ", ".join(f"{n} ({name})" for n, name in cameras().items())
        have = f"this machine has {known}" if known else "this machine has none; plug one in, or give a file"
        raise CameraTrouble(f"camera {number} is not there: {have}", state="none")
    if not os.access(device, os.R_OK | os.W_OK):
        raise CameraTrouble(
            f"camera {number} may not be used by you: sudo usermod -aG video $USER, then log in again", state="refused"
        )


def _stream(source: Source, address: str, endless: bool) -> Iterator[tuple[float, np.ndarray]]:
    """Frames of an address; where it breaks off, tried again after 0.5, 1, 2, 4, 8, 8 … seconds."""
    start = heard = time.monotonic()
    wait, count = 0.5, 0
    while True:
        try:
            for number, (seconds, rgb) in enumerate(clips.frames(address, timeout=10)):
                if endless or number >= count:  # a file that broke off comes from its beginning again
                    heard, wait, count = time.monotonic(), 0.5, number + 1
                    yield (heard - start if endless else seconds), rgb
            if not endless:
                return
            trouble = "it ended"
        except ValueError as error:
            trouble = str(error)
        if time.monotonic() - heard > PATIENCE:
            raise CameraTrouble(f"{address} gave no picture for {PATIENCE:.0f} s ({trouble})", state="lost")
        log.warning("%s broke off (%s); trying again in %.1f s", address, trouble, wait)
        if source.stopped.wait(wait):
            return
        wait = min(wait * 2, 8.0)
