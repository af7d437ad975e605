"""Train a network on a table of faces, or all of it by the recipe of the model that ships.

`fit` wants wide crops (`dataset.crops(table, margin=train.WIDE, size=train.wide_size(96))`); `recipe` starts from the
folders of photos.
"""

from .crops import WIDE, augment, view, wide_size
from .fitting import QUICK, Plan, Run, fit
from .recipe import gather, recipe
from .tuning import tune

__all__ = ["QUICK", "WIDE", "Plan", "Run", "augment", "fit", "gather", "recipe", "tune", "view", "wide_size"]
