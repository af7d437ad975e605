"""Uploaded videos as jobs: one at a time, with progress and cancel; every file goes when its time is over."""

import contextlib
import json
import logging
import queue
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .. import classes, clips, video
from .limits import Limits, Refused

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["Job", "Jobs"]

log = logging.getLogger(__name__)

# How the files begin that are taken. Playlists and lists of files, by which FFmpeg could be led to other files or
# addresses, are not among them, nor AVI, which may carry one.
_BEGINNINGS = ((4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (4, b"wide"), (4, b"free"), (0, b"\x1aE\xdf\xa3"))
_TOP = 60  # frames a second that a video may have throughout


@dataclass
class Job:
    """A video on its way: state is waiting, working, done or failed; files lie in its folder."""

    name: str
    folder: Path
    blur: bool
    of: int  # frames, as its head says; 0 where unknown
    state: str = "waiting"
    frames: int = 0
    words: str = ""
    cut: bool = False  # only its beginning was looked at
    most: dict[str, int] = field(default_factory=dict)
    ended: float = 0.0
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def clip(self) -> Path:
        return self.folder / "annotated.mp4"

    @property
    def answers(self) -> Path:
        return self.folder / "answers.json"

    @property
    def over(self) -> bool:
        return self.state not in ("waiting", "working")

    def row(self) -> dict[str, Any]:
        """What is said of it to whom it belongs."""
        told = {"id": self.name, "state": self.state, "frames": self.frames, "of": self.of, "words": self.words}
        return told | {"most": self.most}


class Jobs:
    """Take videos, work through them one after another, and forget them; see `Limits` for how many and how long."""

    def __init__(self, detector: Callable[[np.ndarray], "sv.Detections"], limits: Limits) -> None:
        self._detector, self._limits = detector, limits
        self._home = tempfile.TemporaryDirectory(prefix="face-masks-", ignore_cleanup_errors=True)
        self._lock = threading.Lock()
        self._known: dict[str, Job] = {}
        self._queue: queue.Queue[Job | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="videos", daemon=True)
        self._thread.start()

    def add(self, content: BinaryIO, *, blur: bool) -> Job:
        """Take a video; it is judged by its content alone. Raises Refused with 400, 413, 415 or 503."""
        name = secrets.token_urlsafe(16)
        folder = Path(self._home.name) / name
        job = Job(name, folder, blur, 0)
        with self._lock:
            if sum(not job.over for job in self._known.values()) >= self._limits.videos:
                raise Refused(503, "Several videos are waiting already; try again in some minutes.")
            self._known[name] = job
        try:
            folder.mkdir()
            with (folder / "upload").open("wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
            job.of = _checked(folder / "upload", self._limits)
        except BaseException:
            self._drop(job)
            raise
        self._queue.put(job)
        return job

    def get(self, name: str) -> Job:
        """The job of that name. Raises Refused (404) where there is none (any more)."""
        self._sweep()
        with self._lock:
            if name not in self._known:
                raise Refused(404, "There is no such video here (any more); finished ones are kept for some minutes.")
            return self._known[name]

    def cancel(self, name: str) -> None:
        """End a job, and delete what there is of it."""
        job = self.get(name)
        job.cancelled.set()
        if job.state != "working":  # else its worker does it, within a frame
            self._drop(job)

    def states(self) -> list[str]:
        """The states of all jobs that are known now."""
        with self._lock:
            return [job.state for job in self._known.values()]

    def close(self) -> None:
        """End what runs, and delete everything."""
        with self._lock:
            for job in self._known.values():
                job.cancelled.set()
        self._queue.put(None)
        self._thread.join(10)
        self._home.cleanup()

    def _work(self) -> None:
        while True:
            with contextlib.suppress(queue.Empty):
                job = self._queue.get(timeout=5)
                if job is None:
                    return
                if not job.cancelled.is_set():
                    self._look(job)
            self._sweep()

    def _look(self, job: Job) -> None:
        job.state, state, upload = "working", "failed", job.folder / "upload"
        try:
            self._annotate(job, upload)
            state = "done"
        except (OSError, ValueError):
            job.words = "The video cannot be read: it is damaged or cut short."
        except Exception:  # the detector's own fault; the next video may go well
            log.exception("a video could not be looked at")
            job.words = "The detector failed; see the server's log."
        finally:
            upload.unlink(missing_ok=True)
            job.ended = time.monotonic()
            job.state = state  # the last of all: whoever sees it finds everything as it will stay
            if job.cancelled.is_set():
                self._drop(job)

    def _annotate(self, job: Job, upload: Path) -> None:
        most = int(self._limits.seconds * _TOP)
        watched = video.annotate(
            upload, self._detector, out=job.clip, blur=job.blur, limit=most, progress=lambda s: self._counted(job, s)
        )
        counts = video.counts(watched).max() if watched.times else {}
        job.most = {name: int(counts.get(name, 0)) for name in (*classes.NAMES, classes.UNSURE)}
        job.answers.write_text(json.dumps(watched.answers()), encoding="utf-8")
        job.words = watched.words() + "; only the beginning was looked at, the rest is over the limits" * job.cut

    def _counted(self, job: Job, source: Iterable[video.Frame]) -> Iterator[video.Frame]:
        """The frames of a job, until it is cancelled or breaks a limit that its head did not tell of."""
        for frame in source:
            h, w = frame.rgb.shape[:2]
            job.cut = frame.seconds > self._limits.seconds or h * w > self._limits.frame_pixels
            if job.cut or job.cancelled.is_set():
                return
            yield frame
            job.frames += 1

    def _sweep(self) -> None:
        now = time.monotonic()
        with self._lock:
            old = [job for job in self._known.values() if job.over and now - job.ended > self._limits.keep]
        for job in old:
            self._drop(job)

    def _drop(self, job: Job) -> None:
        with self._lock:
            self._known.pop(job.name, None)
        shutil.rmtree(job.folder, ignore_errors=True)


def _checked(path: Path, limits: Limits) -> int:
    """How many frames a video says it has. Raises Refused where it is none, or too much."""
    with path.open("rb") as file:
        start = file.read(16)
    if not start:
        raise Refused(400, "No video came with the request.")
    if not any(start[at : at + len(magic)] == magic for at, magic in _BEGINNINGS):
        raise Refused(
            415, "This is no video that is taken (by its content, whatever its name): MP4, MOV, WebM, MKV are."
        )
    try:
        about = clips.about(path)
    except (ValueError, OSError):
        raise Refused(415, "This cannot be read as a video.") from None
    w, h = about.size
    if w * h > limits.frame_pixels:
        raise Refused(
            413, f"The video has {w} × {h} pixels; at most {limits.frame_pixels / 1e6:.0f} million are taken."
        )
    if about.seconds > limits.seconds:
        raise Refused(413, f"The video lasts {about.seconds:.0f} s; at most {limits.seconds:.0f} s are taken.")
    return about.frames
