"""The server's camera: one thread takes and looks at its pictures, any number of viewers fetch the newest one."""

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import video
from .limits import Refused
from .seeing import drawn

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["Camera", "Shown"]

log = logging.getLogger(__name__)


@dataclass
class Shown:
    """The newest picture: its number, rgb, the people in it, milliseconds spent; drawn once for all viewers."""

    number: int
    rgb: np.ndarray
    people: "sv.Detections"
    start: float
    _jpegs: dict[bool, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def jpeg(self, *, blur: bool) -> bytes:
        with self._lock:
            if blur not in self._jpegs:
                self._jpegs[blur] = drawn(self.rgb, self.people, blur=blur, max_side=1280)
            return self._jpegs[blur]


class Camera:
    """A camera, clip or stream of the server's (see `video.open`), open only while somebody watches.

    A viewer joins, asks for frame after frame, and leaves; one who has not asked for `unseen` seconds has left too.
    """

    def __init__(
        self,
        source: str | int | Path,
        detector: Callable[[np.ndarray], "sv.Detections"],
        *,
        most: int = 16,
        unseen: float = 5.0,
    ) -> None:
        self.source, self._detector = source, detector
        self._most, self._unseen = most, unseen
        self._news = threading.Condition()
        self._door = threading.Lock()  # one starts it at a time
        self._viewers: dict[str, float] = {}  # who → when last heard of
        self._shown: Shown | None = None
        self._trouble = ""
        self._opened: video.Source | None = None
        self._thread: threading.Thread | None = None

    def join(self) -> str:
        """Watch from now on; the name by which to ask. Raises Refused when too many do, or it cannot be opened."""
        with self._door:
            self._forget()
            with self._news:
                if len(self._viewers) >= self._most:
                    raise Refused(503, f"{self._most} people are watching already; try again later.")
                who = secrets.token_urlsafe(16)
                self._viewers[who] = time.monotonic()
                running = self._opened is not None and not self._opened.stopped.is_set()
            if not running:
                try:
                    self._start()
                except BaseException:
                    self._viewers.pop(who)
                    raise
            return who

    def frame(self, who: str, *, after: int, wait: float = 0.5) -> Shown | None:
        """The newest picture, if it is newer than number `after`; waits for it a while. Raises Refused."""
        with self._news:
            if who not in self._viewers:
                raise Refused(404, "You are not watching (any more); start again.")
            self._viewers[who] = time.monotonic()
            self._news.wait_for(lambda: self._trouble or (self._shown and self._shown.number > after), wait)
            if self._trouble:
                raise Refused(502, self._trouble)
            return self._shown if self._shown and self._shown.number > after else None

    def leave(self, who: str) -> None:
        """Stop watching; the last one lets the camera go."""
        with self._door:
            with self._news:
                self._viewers.pop(who, None)
                last = not self._viewers
            if last and self._opened is not None:
                self._opened.close()

    def close(self) -> None:
        """Let the camera go, whoever watches."""
        with self._news:
            self._viewers.clear()
        self.leave("")
        if self._thread is not None:
            self._thread.join(6)

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    @property
    def open(self) -> bool:
        """Whether the camera is in use."""
        return self._thread is not None and self._thread.is_alive()

    def _start(self) -> None:
        if self._thread is not None:
            self._thread.join(6)  # the old one lets go first
        try:
            self._opened = video.open(self.source, live=True, loop=True)
        except (OSError, ValueError) as trouble:
            raise Refused(502, _sentence(trouble)) from None
        self._shown, self._trouble = None, ""
        self._thread = threading.Thread(target=self._watch, args=(self._opened,), name="server's camera", daemon=True)
        self._thread.start()

    def _watch(self, source: video.Source) -> None:
        tracker = video.Tracker(unsure_below=float(getattr(self._detector, "unsure_below", 0.6)))
        trouble = "The source has ended."
        try:
            with contextlib.closing(source):
                for frame in source:
                    start = time.perf_counter()
                    people = tracker(self._detector(frame.rgb), frame.seconds)
                    with self._news:
                        self._shown = Shown(frame.number + 1, frame.rgb, people, start)
                        self._news.notify_all()
                    self._forget()
                    with self._news:
                        if not self._viewers:
                            source.stopped.set()  # before anybody else can join
                            return
        except (OSError, ValueError) as error:
            trouble = _sentence(error)
        except Exception:  # the detector's own fault; the next viewer may try again
            log.exception("the server's camera stopped")
            trouble = "The detector failed; see the server's log."
        with self._news:
            if self._viewers:
                self._trouble = trouble
            self._news.notify_all()

    def _forget(self) -> None:
        with self._news:
            now = time.monotonic()
            self._viewers = {who: heard for who, heard in self._viewers.items() if now - heard < self._unseen}


def _sentence(trouble: Exception) -> str:
    words = str(trouble)
    return f"{words[:1].upper()}{words[1:]}."
