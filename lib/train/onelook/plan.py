"""How to train the one-look detector: the one place that names every choice, with its default."""

import dataclasses
import json
from dataclasses import dataclass

from ...cells import STRIDES

__all__ = ["QUICK_LOOK", "SMALL_LOOK", "LookPlan", "changed"]


@dataclass(frozen=True)
class LookPlan:
    """How to train one look: network, canvas, how long and how fast."""

    size: int = 416  # side of the canvases that training shows
    shape: tuple[int, int] = (512, 512)  # height and width of the canvas that the model which ships looks at
    alpha: float = 0.35
    width: int = 64  # channels of pyramid and heads
    weights: str | None = "imagenet"
    epochs: int = 40
    canvases: int = 1500  # an epoch; there is no end of different ones
    batch: int = 12
    rate: float = 1e-3
    average: float = 0.98  # momentum of the weights' running mean, which ends every epoch; 0: none is kept
    worn: float | None = 0.04  # share of faces worn incorrectly where the model is used; None: as in validation
    min_score: float = 0.3  # of a face, for people; measured from 0.02 up
    overlap: float = 0.45  # IoU from which two boxes are one face
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        if any(side % STRIDES[-1] for side in (self.size, *self.shape)):
            raise ValueError(f"size, shape: must be multiples of {STRIDES[-1]}, got {self.size} and {self.shape}")
        if min(self.epochs, self.canvases, self.batch) < 1:
            counts = f"{self.epochs}, {self.canvases}, {self.batch}"
            raise ValueError(f"epochs, canvases, batch: must be at least 1, got {counts}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average: must be at least 0 and below 1, got {self.average}")


SMALL_LOOK = LookPlan(size=256, shape=(384, 384), width=32, batch=16, canvases=2400)  # for a browser or a Raspberry Pi
QUICK_LOOK = LookPlan(size=224, shape=(224, 224), width=32, batch=16, epochs=6, canvases=640)  # to try it out


def changed(plan: LookPlan, words: str) -> LookPlan:
    """The plan with fields that words such as "epochs=20 shape=[480,640]" name. Raises ValueError."""
    known, changes = {f.name for f in dataclasses.fields(plan)}, {}
    for word in words.split():
        name, _, value = word.partition("=")
        if name not in known:
            raise ValueError(f"plan: no field {name!r}; it has {', '.join(sorted(known))}")
        try:
            changes[name] = json.loads(value)
        except json.JSONDecodeError:
            raise ValueError(f"plan: {name} wants a number or a list of them, got {value!r}") from None
    return dataclasses.replace(plan, **changes)
