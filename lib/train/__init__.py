"""Train a network on a table of faces, or all of it by the recipe of the model that ships.

`fit` wants wide crops (`dataset.crops(table, margin=train.WIDE, size=train.wide_size(96))`); `recipe` starts from the
folders of photos, as does `look_recipe` for the detector that finds and names faces at once; `sweep` tries many plans;
`probe` asks what the crops that are shown still betray.
"""

from .crops import WIDE, augment, view, wide_size
from .drawing import Amount
from .fitting import Run, fit, speed
from .onelook import LookPlan, look_recipe
from .plan import QUICK, Plan
from .probing import probe
from .recipe import RECIPES, gather, prepared, recipe
from .sweeping import grid, sweep
from .tuning import tune

__all__ = [
    "QUICK",
    "RECIPES",
    "WIDE",
    "Amount",
    "LookPlan",
    "Plan",
    "Run",
    "augment",
    "fit",
    "gather",
    "grid",
    "look_recipe",
    "prepared",
    "probe",
    "recipe",
    "speed",
    "sweep",
    "tune",
    "view",
    "wide_size",
]
