"""Which detector: a card's own, or one of those that have a name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets
from .finding import BOTH, DOUBT, finder
from .network import ONE_LOOK
from .onelook import OneLook
from .two_step import MaskDetector

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["chosen", "load", "one_look"]

STEPS = {BOTH: BOTH, "yunet+mobilenet": "yunet"}  # detectors of two steps, and the finder that each begins with


def chosen(detector: str | None, model: str | None = None, finder: str | None = None) -> tuple[str, str | None]:
    """The model (or its card's path) and finder that a detector's name stands for; without one, model and finder.

    "both" and "yunet+mobilenet" classify with `model` (full) what that finder finds; "one-look", "one-look-small" and
    any path of a card are models themselves. Raises ValueError where the name and the other two disagree.
    """
    if detector is None:
        return model or "full", finder
    others = {"a finder": finder} if detector in STEPS else {"a finder": finder, "a model": model}
    if said := [f"{what} ({value})" for what, value in others.items() if value]:
        raise ValueError(f"detector: {detector} says already what {' and '.join(said)} would; give one of them")
    return (model or "full", STEPS[detector]) if detector in STEPS else (detector, None)


def one_look(name: str | Path) -> bool:
    """Whether a model finds faces by itself. Raises AssetMissing."""
    card = json.loads(assets.model(name).read_text(encoding="utf-8"))
    return bool(card.get("network") == ONE_LOOK)


def load(
    name: str | Path = "full",
    *,
    find: "str | Callable[[np.ndarray], sv.Detections] | None" = None,
    max_side: int | None = None,
    doubt: float | None = None,
    threads: int | None = None,
) -> MaskDetector | OneLook:
    """Read whichever detector a card describes: one look, or a classifier with the face finder that it names (or find).

    find: a name of `finder`, or any finder. max_side: the finder's, where it should not be the card's; one look has its
    own size. doubt: faces come from this score up where the finder would ask for more (HOG, whose scores are none of
    0–1, gives what it gives). Raises ValueError for a finder beside a one-look model, which finds by itself;
    AssetMissing, ModelDamaged.
    """
    path = assets.model(name)
    if one_look(path):
        if find is not None:
            raise ValueError(f"finder: {path.stem} finds faces by itself; leave the finder out, or take another model")
        look = OneLook.load(path, threads=threads)
        look.min_score = min(look.min_score, _least(doubt))
        return look
    by_name = finder(find, max_side=max_side) if isinstance(find, str) else find
    detector = MaskDetector.load(path, find=by_name, max_side=max_side, threads=threads)
    own: Any = detector.find
    if getattr(own, "name", "hog") != "hog" and own.min_score > _least(doubt):
        detector.find = finder(own.name, min_score=_least(doubt), max_side=own.max_side)
    return detector


def _least(doubt: float | None) -> float:
    return 1.0 if doubt is None else max(doubt, DOUBT)
