"""Who came, changed and left, as a file or a callable hears it; and an alarm that does not ring on and on."""

import csv
import json
import logging
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import classes

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["Alarm", "Events"]

log = logging.getLogger(__name__)

COLUMNS = ("seconds", "event", "person", "label")
GONE = 1.0  # seconds unseen after which a person has left
STEADY = 0.3  # seconds that somebody has to be seen for; what the finder sees in a hand or a leaf is gone sooner

Hear = Callable[[dict[str, Any]], None]


class _Since:
    """Since when each person is there; an absence of up to `GONE` seconds, or of one picture, is none."""

    def __init__(self) -> None:
        self._times: dict[int, tuple[float, float]] = {}  # person → first and last seen
        self._last = 0.0

    def __call__(self, people: Iterable[int], seconds: float) -> dict[int, float]:
        """When each of these people, who are there now, was seen first."""
        gone, self._last = max(GONE, seconds - self._last), seconds
        self._times = {n: times for n, times in self._times.items() if seconds - times[1] <= gone}
        self._times |= {n: (self._times.get(n, (seconds, 0.0))[0], seconds) for n in people}
        return {n: first for n, (first, last) in self._times.items() if last == seconds}


class Alarm:
    """Call `ring` when somebody is shown with one of `labels`, and then not again for `hold_off` seconds.

    Who is shown so for less than 0.3 s rings nothing. ring gets seconds, label (the first of labels that is seen) and
    people (their numbers). It is called between two frames, so it should be quick; one that fails is told in the log,
    and the watch goes on.
    """

    def __init__(self, ring: Hear, *, labels: Collection[str] = ("without_mask",), hold_off: float = 30.0) -> None:
        unknown = [name for name in labels if name not in (*classes.NAMES, classes.UNSURE)]
        if unknown or hold_off < 0:
            raise ValueError(
                f"alarm: labels are among {classes.NAMES}, hold_off is not below 0; got {labels}, {hold_off}"
            )
        self.ring, self.labels, self.hold_off = ring, tuple(labels), hold_off
        self._last, self._since = -np.inf, _Since()

    def __call__(self, people: "sv.Detections", seconds: float) -> None:
        """Look at the people of one frame, `seconds` from the start."""
        labels = {int(n): str(name) for n, name in zip(numbers(people), people.data.get("class_name", []), strict=True)}
        since = self._since([n for n, name in labels.items() if name in self.labels], seconds)
        steady = [n for n, first in since.items() if seconds - first >= STEADY]
        if not steady or seconds - self._last < self.hold_off:
            return
        label = next(name for name in self.labels if name in {labels[n] for n in steady})
        self._last = seconds
        try:
            self.ring({"seconds": round(seconds, 3), "label": label, "people": steady})
        except Exception:  # a bell that is broken must not end the watch
            log.exception("the alarm failed")


class Events:
    """Who appeared, changed or left, told as it happens: to a callable, or to a file, CSV by its name, else JSONL.

    Somebody is told of once seen for 0.3 s, with the time when seen first; who left, with the time when seen last.
    """

    def __init__(self, target: str | Path | Hear | None) -> None:
        self._hear: Hear | None = target if callable(target) else None
        self._file, self._table = None, None
        if isinstance(target, str | Path):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            self._file = Path(target).open("w", encoding="utf-8", newline="")
            if Path(target).suffix.lower() == ".csv":
                self._table = csv.writer(self._file)
                self._table.writerow(COLUMNS)
        self._known: dict[int, tuple[str, float]] = {}
        self._since = _Since()

    def __call__(self, people: "sv.Detections", seconds: float) -> None:
        """Compare the people of one frame with those before."""
        there = [int(n) for n in numbers(people)]
        since = self._since(there, seconds)
        for number, name in zip(there, map(str, people.data["class_name"]), strict=True):
            if number not in self._known:
                if seconds - since[number] < STEADY:
                    continue
                self._tell("appeared", number, since[number], name)
            elif self._known[number][0] != name:
                self._tell("changed", number, seconds, name)
            self._known[number] = name, seconds
        for number, (name, last) in list(self._known.items()):
            if seconds - last > GONE:
                del self._known[number]
                self._tell("left", number, last, name)

    def _tell(self, what: str, person: int, seconds: float, label: str) -> None:
        event = dict(zip(COLUMNS, (round(seconds, 3), what, person, label), strict=True))
        if self._table is not None:
            self._table.writerow(event.values())
        elif self._file is not None:
            self._file.write(json.dumps(event) + "\n")
        if self._file is not None:
            self._file.flush()
        if self._hear is not None:
            self._hear(event)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def numbers(people: "sv.Detections") -> np.ndarray:
    """The numbers of tracked people; none where nobody was followed."""
    return people.tracker_id if people.tracker_id is not None else np.zeros(0, int)
