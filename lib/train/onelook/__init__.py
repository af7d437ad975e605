"""Train the one-look detector: from photos with boxes to the files of a model that finds and names faces at once."""

from .album import Album, album
from .fitting import fit_look, look_recipe, truth
from .losses import loss
from .plan import QUICK_LOOK, SMALL_LOOK, LookPlan, changed
from .shown import canvas, canvases
from .targets import IGNORED, targets

__all__ = [
    "IGNORED",
    "QUICK_LOOK",
    "SMALL_LOOK",
    "Album",
    "LookPlan",
    "album",
    "canvas",
    "canvases",
    "changed",
    "fit_look",
    "look_recipe",
    "loss",
    "targets",
    "truth",
]
