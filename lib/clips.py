"""Video files and streams: frames in, H.264 MP4 that browsers play out."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

__all__ = ["About", "Writer", "about", "frames"]

log = logging.getLogger(__name__)

_CLOCK = 90_000  # ticks a second, as broadcasting counts


@dataclass(frozen=True)
class About:
    """What a video says of itself: size (w, h) as stored, frames a second, seconds and frames (0 where unknown)."""

    size: tuple[int, int]
    fps: float
    seconds: float
    frames: int


class Writer:
    """Write rgb frames to an MP4 (H.264, yuv420p) that browsers and phones play; use it as a context manager.

    The first frame sets the size (an odd edge loses its last row or column); a later frame of another size is fitted
    into it. The file appears under its name when the writer closes, also when the work inside was interrupted, so that
    what was written so far can be played. fps: frames a second, for frames that bring no time of their own.
    """

    def __init__(self, path: str | Path, *, fps: float) -> None:
        if not fps > 0:
            raise ValueError(f"fps: must be above 0, got {fps}")
        self.path = Path(path)
        if self.path.suffix.lower() != ".mp4":
            raise ValueError(f"clip: {self.path.name} must end in .mp4; that is what is written")
        self.count = 0
        self._fps = Fraction(fps).limit_denominator(1001)
        self._part = self.path.with_name(f".part-{self.path.name}")
        self._container: Any = None
        self._stream: Any = None
        self._first, self._last = 0.0, -1

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *trouble: object) -> None:
        self.close()

    def write(self, rgb: np.ndarray, *, seconds: float | None = None) -> None:
        """Append one frame (h, w, 3); seconds: when it is to be seen, so that an uneven source stays in step."""
        import av

        if self._container is None:
            self._open(av, rgb.shape[1] // 2 * 2, rgb.shape[0] // 2 * 2)
            self._first = seconds or 0.0
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(self._fitted(rgb)), format="rgb24")
        due = self.count / self._fps if seconds is None else Fraction(seconds - self._first)
        frame.pts = self._last = max(round(due * _CLOCK), self._last + 1)
        frame.time_base = Fraction(1, _CLOCK)
        try:
            self._container.mux(self._stream.encode(frame))
        except OSError:  # the disk is full: a second try to write the file's head would end the whole process
            self._abandon()
            raise
        self.count += 1

    def close(self) -> None:
        """Finish the file and give it its name; nothing is left where no frame was written, or the disk was full."""
        if self._container is None:
            return
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        except BaseException:
            self._abandon()
            raise
        self._container = None
        self._part.replace(self.path)

    def _abandon(self) -> None:
        """Let go of what cannot be written to its end; `count` is 0 again."""
        container, self._container, self.count = self._container, None, 0
        with contextlib.suppress(OSError):
            container.close()
        self._part.unlink(missing_ok=True)

    def _open(self, av: Any, width: int, height: int) -> None:
        if width < 2 or height < 2:
            raise ValueError(f"frame: must be at least 2 × 2 pixels, got {width} × {height}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self._part), "w", format="mp4", options={"movflags": "faststart"})
        self._stream = self._container.add_stream("libx264", rate=self._fps)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _CLOCK)
        self._stream.options = {"crf": "23", "preset": "veryfast"}

    def _fitted(self, rgb: np.ndarray) -> np.ndarray:
        h, w = self._stream.height, self._stream.width
        if rgb.shape[0] in (h, h + 1) and rgb.shape[1] in (w, w + 1):
            return rgb[:h, :w]
        import cv2

        scale = min(w / rgb.shape[1], h / rgb.shape[0])
        small = cv2.resize(rgb, (max(1, int(rgb.shape[1] * scale)), max(1, int(rgb.shape[0] * scale))))
        page = np.zeros((h, w, 3), np.uint8)
        y, x = (h - small.shape[0]) // 2, (w - small.shape[1]) // 2
        page[y : y + small.shape[0], x : x + small.shape[1]] = small
        return page


def about(path: str | Path) -> About:
    """Read a video file's head. Raises FileNotFoundError, ValueError when it is none."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        seconds = float(container.duration or 0) / 1_000_000
        count = int(stream.frames or round(fps * seconds))
        return About((int(stream.width), int(stream.height)), fps, seconds, count)


def frames(source: str | Path | BinaryIO, *, timeout: float | None = None) -> Iterator[tuple[float, np.ndarray]]:
    """Every frame of a video: (seconds since the first one, rgb, turned upright as players show it).

    source: a file, a stream's address (with "://"), or an open binary file; timeout: seconds without data from a
    stream. A frame without a time has 0. Damaged parts are left out, with a word in the log. Raises FileNotFoundError,
    ValueError where nothing at all can be read, or a stream breaks.
    """
    import av

    count = bad = 0
    start: float | None = None
    with _opened(source, timeout) as container:
        stream = container.streams.video[0]
        promised = stream.frames  # 0 where the head does not tell
        stream.thread_type = "SLICE" if "://" in str(source) else "AUTO"  # several frames at a time come late when live
        try:
            for packet in container.demux(stream):
                try:
                    for frame in packet.decode():
                        time = None if frame.time is None else float(frame.time)
                        start = time if start is None else start
                        yield max(0.0, (time or 0.0) - (start or 0.0)), _upright(frame)
                        count += 1
                except av.error.InvalidDataError:
                    bad += 1
        except av.error.FFmpegError as trouble:
            if not count or "://" in str(source):
                raise ValueError(f"video: {source} cannot be read ({trouble.strerror})") from None
            bad += 1
    if not count:
        raise ValueError(f"video: {source} has no picture that can be read")
    if bad:
        log.warning("video: %s is damaged in %d places, which were left out; %d frames were read", source, bad, count)
    elif count < 0.95 * promised:  # a few are left out of a sound clip that was cut without being written anew
        log.warning("video: %s is cut short: of %d frames that it promises %d are there", source, promised, count)


def _opened(source: Any, timeout: float | None = None) -> Any:
    import av

    if isinstance(source, str | Path) and "://" not in str(source) and not Path(source).is_file():
        raise FileNotFoundError(f"video: {source} does not exist")
    options = {"rtsp_flags": "prefer_tcp"} if str(source).startswith("rtsp:") else {}  # by UDP pictures come torn
    try:
        container = av.open(str(source) if isinstance(source, str | Path) else source, timeout=timeout, options=options)
    except (av.error.FFmpegError, OSError) as trouble:
        empty = isinstance(source, str | Path) and "://" not in str(source) and not Path(source).stat().st_size
        raise ValueError(f"video: {source} cannot be read ({'it is empty' if empty else trouble.strerror})") from None
    if not container.streams.video:
        container.close()
        raise ValueError(f"video: {source} has no picture in it")
    return container


def _upright(frame: Any) -> np.ndarray:
    """Pixels of a frame, turned as a phone's note on how it was held asks."""
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4)
