"""Who is who from frame to frame, and one steady label a person."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .. import boxes, classes, detect

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["Tracker"]

RIM = 0.08
SLOW = 5.0  # seconds between two pictures of a slow source, up to which who was on the one is known on the next


@dataclass
class _Person:
    """One tracked face: where it was last, how it moves, what was seen of it and what is shown."""

    number: int
    box: np.ndarray
    seen: float
    mean: np.ndarray
    shown: int
    speed: np.ndarray = field(default_factory=lambda: np.zeros(4))
    doubt: float | None = None  # since when another answer would be given

    def expected(self, seconds: float) -> np.ndarray:
        return self.box + self.speed * min(seconds - self.seen, 0.5)


class Tracker:
    """Follow each face from frame to frame by overlap, and let its frames vote, so that its label does not flicker.

    A person's probabilities are averaged with a memory of some `memory` seconds; the label changes only after the
    average has favoured another one for `hold` seconds, a word gives way to "unsure" only well (0.08) below the
    threshold, and "unsure" to a word at once. A person unseen for `patience` seconds is a new one when seen again,
    unless no picture came meanwhile. `unsure_below` may be changed at any time.
    """

    def __init__(
        self, *, unsure_below: float = 0.6, memory: float = 0.4, hold: float = 0.3, patience: float = 0.8
    ) -> None:
        self.unsure_below, self.memory, self.hold, self.patience = unsure_below, memory, hold, patience
        self.people: list[_Person] = []
        self._count, self._last = 0, 0.0

    def __call__(self, found: "sv.Detections", seconds: float) -> "sv.Detections":
        """The same faces with tracker_id and the voted answer; `data` keeps the single frame's as raw_name."""
        import supervision as sv

        patience = max(self.patience, min(seconds - self._last, SLOW))
        self.people, self._last = [p for p in self.people if seconds - p.seen <= patience], seconds
        xyxy, p = np.asarray(found.xyxy, float).reshape(-1, 4), _probabilities(found)
        known = self._match(xyxy, seconds)
        voted = [self._see(person, box, row, seconds) for person, box, row in zip(known, xyxy, p, strict=True)]
        ids = np.array([person.shown for person in voted], int)
        means = np.array([person.mean for person in voted]).reshape(-1, len(classes.NAMES))
        names = np.array([*classes.NAMES, classes.UNSURE])
        sure = [m.max() if i == len(classes.NAMES) else m[i] for m, i in zip(means, ids, strict=True)]
        raw = np.asarray(found.data.get("class_name", []), dtype=names.dtype)
        return sv.Detections(
            xyxy=found.xyxy,
            confidence=np.array(sure, np.float32),
            class_id=ids,
            tracker_id=np.array([person.number for person in voted], int),
            data={**found.data, "class_name": names[ids], "probabilities": means, "raw_name": raw},
        )

    def _match(self, xyxy: np.ndarray, seconds: float) -> list[_Person | None]:
        expected = np.array([p.expected(seconds) for p in self.people]).reshape(-1, 4)
        order = boxes.match(xyxy, expected, boxes.area(xyxy), min_iou=0.2)
        return [self.people[i] if i >= 0 else None for i in order]

    def _see(self, person: _Person | None, box: np.ndarray, row: np.ndarray, seconds: float) -> _Person:
        if person is None:
            self._count += 1
            answer = int(detect.decide(row[None], unsure_below=self.unsure_below)[0][0])
            person = _Person(self._count, box, seconds, row.copy(), answer)
            self.people.append(person)
            return person
        gap = max(seconds - person.seen, 1e-3)
        share = 1 - np.exp(-gap / self.memory) if self.memory > 0 else 1.0
        person.mean = person.mean + share * (row - person.mean)
        person.speed = 0.5 * person.speed + 0.5 * (box - person.box) / gap
        person.box, person.seen = box, seconds
        self._vote(person, seconds)
        return person

    def _vote(self, person: _Person, seconds: float) -> None:
        silent = person.shown == len(classes.NAMES)
        rim = 0.0 if silent else -RIM  # a word once said is kept through some doubt
        answer = int(detect.decide(person.mean[None], unsure_below=self.unsure_below + rim)[0][0])
        if answer == person.shown:
            person.doubt = None
        elif person.doubt is None:
            person.doubt = seconds
        if person.doubt is not None and (silent or seconds - person.doubt >= self.hold):
            person.shown, person.doubt = answer, None


def _probabilities(found: "sv.Detections") -> np.ndarray:
    """(n, 3) of any detector's answers; one that gives only names counts as sure as it says."""
    if "probabilities" in found.data:
        return np.asarray(found.data["probabilities"], float).reshape(-1, len(classes.NAMES))
    rows = np.zeros((len(found), len(classes.NAMES)))
    sure = found.confidence if found.confidence is not None else np.ones(len(found))
    for row, name, p in zip(rows, found.data.get("class_name", []), sure, strict=True):
        row[:] = 1 / 3 if name not in classes.NAMES else (1 - p) / 2
        if name in classes.NAMES:
            row[classes.index(str(name))] = p
    return rows
