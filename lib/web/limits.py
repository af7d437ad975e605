"""How much is taken, from whom, and how fast: one table of limits and the two gates that hold them."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Buckets", "Gate", "Limits", "Refused"]


class Refused(Exception):
    """Something that is not taken: an HTTP status and one sentence for people."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """What the page takes; everything beyond is answered with a status and a sentence."""

    picture_bytes: int = 30_000_000
    video_bytes: int = 300_000_000
    pixels: int = 50_000_000  # of a picture; some 150 MB once decoded
    frame_pixels: int = 9_000_000  # of one frame of a video: 4K
    seconds: float = 600.0  # of a video
    pictures: int = 8  # in work or waiting
    videos: int = 4  # in work or waiting
    keep: float = 900.0  # seconds for which a finished video can be fetched
    viewers: int = 16  # of the server's camera
    rate: float = 50.0  # requests a second from one address, and twice as many at once
    tries: int = 10  # wrong passwords from one address, then one every six seconds
    connections: int = 64  # open at once; half of them from one address
    arriving: int = 1_200_000_000  # bytes that may be on their way at once; half of them from one address
    patience: float = 20.0  # seconds that a request may take to arrive …
    slowest: float = 20_000.0  # … and one more for so many bytes


class Gate:
    """Let two work at a time and some more wait; whoever comes on top is refused with 503."""

    def __init__(self, most: int, *, at_once: int = 2) -> None:
        self._most, self._inside = most, 0
        self._lock, self._work = threading.Lock(), threading.Semaphore(at_once)

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._inside >= self._most:
                raise Refused(503, "Many pictures are being looked at right now; try again in a moment.")
            self._inside += 1
        try:
            with self._work:
                yield
        finally:
            with self._lock:
                self._inside -= 1


class Buckets:
    """How much each address may still do: `burst` at once, `rate` a second from then on."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}  # address → what was left, and when

    def take(self, who: str, amount: float = 1.0) -> bool:
        """Take so much, if there is any left; whether there was. An amount of 0 only asks."""
        now = time.monotonic()
        with self._lock:
            if len(self._left) > 10_000:  # those who were quiet have full buckets again
                full = self.burst / self.rate
                self._left = {k: v for k, v in self._left.items() if now - v[1] < full}
            left, then = self._left.get(who, (self.burst, now))
            left = min(self.burst, left + (now - then) * self.rate)
            enough = left >= max(amount, 1.0)
            self._left[who] = (left - amount if enough else left), now
            return enough
