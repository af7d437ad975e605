"""Watch a source: find, follow, count, draw, write, and say what happened."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .. import classes, clips, detect, files, plots, screen
from ..blur import blurred
from .sources import Frame, Source, open
from .telling import Alarm, Events, numbers
from .tracking import Tracker

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv

__all__ = ["Watched", "annotate", "counts", "flicker"]

KEPT = 200_000  # newest answers and frames kept of a source that never ends: 16 MB
WORDS = (*classes.NAMES, classes.UNSURE)  # of raw, shown and answer, which are kept as their numbers
ROW = np.dtype(
    [("seconds", "f8"), ("frame", "i8"), ("person", "i4"), ("x1", "f8"), ("y1", "f8"), ("x2", "f8"), ("y2", "f8")]
    + [("raw", "i1"), ("shown", "i1"), ("sure", "f8"), ("answer", "i1"), ("score", "f8")]
)


@dataclass(frozen=True)
class Watched:
    """What was seen of a source.

    faces: one row a face and frame: seconds, frame, person, x1, y1, x2, y2, raw (the single frame's answer), shown
    (the voted one), sure, answer (voted, of the three classes), score (face × probability). times: seconds of every
    frame. stages: milliseconds a frame for each stage. ended: "end", "interrupted", or why it broke off.
    """

    faces: "pd.DataFrame"
    times: list[float]
    stages: dict[str, float]
    ended: str
    out: Path | None

    def words(self) -> str:
        """One line for people: how long, how fast, how many people with which label at most at once."""
        if not self.times:
            return "no frame" + ("" if self.ended == "end" else f"; ended early: {self.ended}")
        most = counts(self)[[*classes.NAMES, classes.UNSURE]].max()
        seen = ", ".join(f"{classes.WORDS[name].lower()} {int(n)}" for name, n in most.items() if n) or "nobody"
        rate = 1000 / max(1e-9, sum(ms for stage, ms in self.stages.items() if stage != "wait for frame"))
        ended = "" if self.ended == "end" else f"; ended early: {self.ended}"
        many = f"{len(self.times)} frame{'s' * (len(self.times) > 1)}"
        return f"{many}, {rate:.0f} a second; most at once: {seen}{ended}"

    def answers(self, *, threshold: float = 0.0) -> list[dict[str, Any]]:
        """One dict a frame with a face: seconds, and faces as rows [x1, y1, x2, y2, score, class, person].

        The class is the voted one of the three; score = face score × its probability; lower rows than threshold go.
        """
        kept = self.faces[self.faces["score"] >= threshold]
        columns = ["x1", "y1", "x2", "y2", "score", "answer", "person"]
        return [
            {"seconds": round(float(seconds), 3), "faces": rows[columns].to_numpy(object).tolist()}
            for seconds, rows in kept.groupby("seconds", sort=True)
        ]


def annotate(
    source: Source | str | Path | int,
    detector: Callable[[np.ndarray], "sv.Detections"],
    *,
    out: str | Path | None = None,
    events: str | Path | Callable[[dict[str, Any]], None] | None = None,
    tracker: Tracker | None = None,
    blur: bool = False,
    limit: int | None = None,
    show: bool = False,
    progress: Callable[[Iterable[Frame]], Iterable[Frame]] | None = None,
    alarm: Alarm | None = None,
) -> Watched:
    """Watch a source to its end, or to `limit` frames: find, follow and count people, and write the annotated clip.

    out: an H.264 MP4, whole and playable however the run ends (Ctrl-C ends it early, as does `q` in the window of show,
    or closing that). events: who appeared, changed or left, into a JSONL or CSV file by its name, or to a callable.
    blur: make faces unrecognisable in what is written. What stands at out or events is replaced, but for the source:
    ValueError.
    """
    opened = source if isinstance(source, Source) else open(source)
    for target in (out, events):
        files.spare(None if callable(target) else target, *([opened.path] if opened.path else []), force=True)
    unsure_below = float(getattr(detector, "unsure_below", 0.6))
    window = _window(opened) if show else ""
    watch = _Watch(detector, tracker or Tracker(unsure_below=unsure_below), blur=blur, window=window)
    writer = clips.Writer(out, fps=opened.fps or 15.0) if out else None
    told = Events(events)
    with contextlib.ExitStack() as ends:  # each is closed, whatever fails at the others
        if window:
            ends.callback(cv2.destroyAllWindows)
        if writer:
            ends.callback(writer.close)
        ends.callback(told.close)
        ends.callback(opened.close)
        hear = (told, alarm) if alarm else (told,)
        ended = _follow(progress(opened) if progress else opened, watch, hear=hear, writer=writer, limit=limit)
    return watch.result(ended, writer.path if writer and writer.count else None)


def _follow(
    frames: Iterable[Frame],
    watch: "_Watch",
    *,
    hear: Iterable[Callable[["sv.Detections", float], None]],
    writer: clips.Writer | None,
    limit: int | None,
) -> str:
    """Watch frame after frame; how it ended. Raises ValueError, OSError where not a single one could be watched."""
    try:
        for frame in frames:
            if limit is not None and watch.count >= limit:
                break
            picture, people = watch(frame)
            for tell in hear:
                tell(people, frame.seconds)
            if writer:
                with watch.stage("encode"):
                    writer.write(picture, seconds=frame.seconds)
            if watch.quit:
                return "interrupted"
    except KeyboardInterrupt:
        return "interrupted"
    except (ValueError, OSError) as trouble:
        if not watch.count:
            raise
        return getattr(trouble, "strerror", None) or str(trouble)
    return "end"


class _Watch:
    """The work on one frame after another, with its stages timed and its answers kept."""

    def __init__(self, detector: Any, tracker: Tracker, *, blur: bool, window: str) -> None:
        self.detector, self.tracker, self.blur, self.window = detector, tracker, blur, window
        self.times, self.rows = _Kept(np.dtype("f8")), _Kept(ROW)
        self.spent: defaultdict[str, float] = defaultdict(float)
        self.count, self.quit, self._left = 0, False, time.perf_counter()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._left = time.perf_counter()
            self.spent[name] += self._left - start

    def __call__(self, frame: Frame) -> tuple[np.ndarray, "sv.Detections"]:
        self.spent["wait for frame"] += time.perf_counter() - self._left
        found = self._detect(frame.rgb)
        with self.stage("track"):
            people = self.tracker(found, frame.seconds)
            self._keep(people, frame)
        with self.stage("draw"):
            picture = plots.annotate(blurred(frame.rgb, people.xyxy) if self.blur else frame.rgb, people)
        if self.window:
            self._show(picture)
        self.count += 1
        return picture, people

    def _detect(self, rgb: np.ndarray) -> "sv.Detections":
        if not hasattr(self.detector, "timed"):
            with self.stage("detect"):
                return self.detector(rgb)
        found, spent = self.detector.timed(rgb)
        for name, seconds in spent.items():
            self.spent[name] += seconds
        return found

    def _keep(self, people: "sv.Detections", frame: Frame) -> None:
        self.times.append(frame.seconds)
        ids, sure = detect.decide(np.asarray(people.data["probabilities"]))
        scores = np.clip(np.asarray(people.data.get("face_score", np.ones(len(people)))), 0, 1) * sure
        raw, shown = (_word_numbers(people.data[name]) for name in ("raw_name", "class_name"))
        sure = np.asarray(people.confidence, float).round(4)
        told = zip(raw, shown, sure, ids, scores.round(5), strict=True)
        places = np.asarray(people.xyxy, float).round(2)
        for place, person, answer in zip(places, numbers(people), told, strict=True):
            self.rows.append((frame.seconds, frame.number, person, *place, *answer))

    def _show(self, picture: np.ndarray) -> None:
        gone = self.count > 0 and screen.closed(self.window)  # or showing would open it again
        self.quit = gone or screen.show(picture, title=self.window, milliseconds=1)

    def result(self, ended: str, out: Path | None) -> Watched:
        import pandas as pd

        faces = pd.DataFrame(self.rows.all())
        for column in ("raw", "shown", "answer"):
            faces[column] = np.array(WORDS)[faces[column].to_numpy()]
        stages = {name: 1000 * seconds / max(1, self.count) for name, seconds in self.spent.items()}
        return Watched(faces, self.times.all().tolist(), stages, ended, out)


class _Kept:
    """The newest `KEPT` of many rows, in little memory, which is taken as it is needed."""

    def __init__(self, kind: np.dtype) -> None:
        self._rows, self._count = np.empty(KEPT, kind), 0

    def append(self, row: Any) -> None:
        self._rows[self._count % KEPT] = row
        self._count += 1

    def all(self) -> np.ndarray:
        """The rows in their order."""
        start = self._count % KEPT if self._count > KEPT else 0
        return np.roll(self._rows[: self._count], -start)


def _word_numbers(names: Any) -> list[int]:
    """Places in WORDS; what is none of them counts as unsure."""
    return [WORDS.index(name) if name in WORDS else len(WORDS) - 1 for name in map(str, names)]


def _window(source: Source) -> str:
    """Title of the window, once it is sure that there is a screen (OpenCV would end the process otherwise)."""
    if not screen.there():
        raise ValueError("show: there is no screen here (DISPLAY is not set); leave it out and write a file instead")
    return f"{source.name} - press q to quit"


def counts(watched: Watched) -> "pd.DataFrame":
    """How many people were shown with each label, one row a frame: seconds, the classes, unsure, people."""
    import pandas as pd

    names = [*classes.NAMES, classes.UNSURE]
    frames = pd.DataFrame({"seconds": watched.times})
    table = pd.crosstab(watched.faces["seconds"], watched.faces["shown"]).reindex(columns=names, fill_value=0)
    table = frames.merge(table, how="left", left_on="seconds", right_index=True).fillna(0)
    table[names] = table[names].astype(int)
    table["people"] = table[names].sum(axis=1)
    return table


def flicker(watched: Watched) -> dict[str, int]:
    """How often a person's label changed from one frame to the next: `before` the vote (raw) and `after` it (shown).

    A real change, a mask put on, counts once in both.
    """
    ordered = watched.faces.sort_values(["person", "frame"], kind="stable")
    same = ordered["person"].eq(ordered["person"].shift())
    return {
        when: int((same & ordered[column].ne(ordered[column].shift())).sum())
        for when, column in (("before", "raw"), ("after", "shown"))
    }
