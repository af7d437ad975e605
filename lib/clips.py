"""Video files that browsers play: frames in, H.264 MP4 out, and back."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Writer", "frames"]


class Writer:
    """Write rgb frames to an MP4 (H.264, yuv420p) that browsers and phones play; use it as a context manager.

    The first frame sets the size (an odd edge loses its last row or column); a later frame of another size is fitted
    into it. The file appears under its name when the writer closes, also when the work inside was interrupted, so that
    what was written so far can be played. fps: frames a second.
    """

    def __init__(self, path: str | Path, *, fps: float) -> None:
        self.path = Path(path)
        self.count = 0
        self._fps = Fraction(fps).limit_denominator(1001)
        self._part = self.path.with_name(f".part-{self.path.name}")
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *trouble: object) -> None:
        self.close()

    def write(self, rgb: np.ndarray) -> None:
        """Append one frame (h, w, 3)."""
        import av

        if self._container is None:
            self._open(av, rgb.shape[1] // 2 * 2, rgb.shape[0] // 2 * 2)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(self._fitted(rgb)), format="rgb24")
        frame.pts = self.count
        self._container.mux(self._stream.encode(frame))
        self.count += 1

    def close(self) -> None:
        """Finish the file and give it its name; nothing is left where no frame was written."""
        if self._container is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            self._container = None
            self._part.replace(self.path)

    def _open(self, av: Any, width: int, height: int) -> None:
        if width < 2 or height < 2:
            raise ValueError(f"frame: must be at least 2 × 2 pixels, got {width} × {height}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self._part), "w", format="mp4", options={"movflags": "faststart"})
        self._stream = self._container.add_stream("libx264", rate=self._fps)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
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


def frames(path: str | Path) -> Iterator[tuple[float, np.ndarray]]:
    """Every frame of a video file: (seconds from its start, rgb). Raises FileNotFoundError, ValueError when damaged."""
    import av

    if not Path(path).is_file():
        raise FileNotFoundError(f"video: {path} does not exist")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"video: {path} has no picture in it")
            for frame in container.decode(video=0):
                yield float(frame.time or 0.0), frame.to_ndarray(format="rgb24")
    except av.error.FFmpegError as trouble:
        raise ValueError(f"video: {path} cannot be read ({trouble})") from None
