"""Who came, changed and left, as a file or a callable hears it; and an alarm that does not ring on and on."""

import csv
import json
import logging
from collections.abc import Callable, Collection
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

Hear = Callable[[dict[str, Any]], None]


class Alarm:
    """Call `ring` when somebody is shown with one of `labels`, and then not again for `hold_off` seconds.

    ring gets seconds, label (the first of labels that is seen) and people (their numbers). It is called between two
    frames, so it should be quick; one that fails is told in the log, and the watch goes on.
    """

    def __init__(self, ring: Hear, *, labels: Collection[str] = ("without_mask",), hold_off: float = 30.0) -> None:
        unknown = [name for name in labels if name not in (*classes.NAMES, classes.UNSURE)]
        if unknown or hold_off < 0:
            raise ValueError(
                f"alarm: labels are among {classes.NAMES}, hold_off is not below 0; got {labels}, {hold_off}"
            )
        self.ring, self.labels, self.hold_off = ring, tuple(labels), hold_off
        self._last = -np.inf

    def __call__(self, people: "sv.Detections", seconds: float) -> None:
        """Look at the people of one frame, `seconds` from the start."""
        if seconds - self._last < self.hold_off:
            return
        shown = list(zip(numbers(people).tolist(), map(str, people.data.get("class_name", [])), strict=True))
        label = next((name for name in self.labels if name in {name for _, name in shown}), None)
        if label is None:
            return
        self._last = seconds
        try:
            self.ring(
                {"seconds": round(seconds, 3), "label": label, "people": [n for n, w in shown if w in self.labels]}
            )
        except Exception:  # a bell that is broken must not end the watch
            log.exception("the alarm failed")


class Events:
    """Who appeared, changed or left, told as it happens: to a callable, or to a file, CSV by its name, else JSONL."""

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

    def __call__(self, people: "sv.Detections", seconds: float) -> None:
        """Compare the people of one frame with those before."""
        for number, name in zip(numbers(people), people.data["class_name"], strict=True):
            before = self._known.get(int(number))
            if before is None or before[0] != name:
                self._tell("appeared" if before is None else "changed", int(number), seconds, str(name))
            self._known[int(number)] = str(name), seconds
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
