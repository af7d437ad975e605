"""Baselines that cheat: what can be had without looking at a mask. A figure counts only as far as it passes them."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .. import batch, classes, dataset, images

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["faked", "shortcut"]

FOLDS = 5


def shortcut(
    table: "pd.DataFrame",
    *,
    crops: np.ndarray | None = None,
    more: Mapping[str, tuple[str, np.ndarray]] | None = None,
    seed: int = 0,
) -> "pd.DataFrame":
    """What a small decision tree makes of things that are no faces: rows tree, sees, accuracy, balanced_accuracy.

    'nothing' is the most frequent class; 'file' sees width, height, aspect and size in bytes of the image file; 'blur',
    where crops (n, s, s, 3) are given, only their sharpness and darkness; more: further trees, a name to what it sees
    in words and in values (n, k). Five folds by group (by photo where there are no groups), one row a face. A network
    must pass them on the same table before its figure means anything. Raises ValueError for one class only.
    """
    import pandas as pd
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    labels = dataset.trainable(table)["label"].to_numpy(str)
    told = "group" in table and table["group"].fillna("").ne("").all()
    groups = pd.factorize(table["group"] if told else table["image"])[0]
    folds = min(FOLDS, len(set(groups)))
    if folds < 2:
        raise ValueError("shortcut: needs at least two groups of look-alikes, got one")
    said = {"nothing": np.full(len(labels), max(set(labels), key=labels.tolist().count))}
    seen = _features(table, crops) | dict(more or {})
    for name, (_, values) in seen.items():
        tree = DecisionTreeClassifier(max_depth=8, min_samples_leaf=5, random_state=seed)
        cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a class with fewer faces than folds
            said[name] = cross_val_predict(tree, values, labels, groups=groups, cv=cut)
    words = {"nothing": "most frequent class"} | {name: word for name, (word, _) in seen.items()}
    rows = [
        (name, words[name], float((answer == labels).mean()), balanced(labels, answer)) for name, answer in said.items()
    ]
    return pd.DataFrame(rows, columns=["tree", "sees", "accuracy", "balanced_accuracy"])


def _features(table: "pd.DataFrame", crops: np.ndarray | None) -> dict[str, tuple[str, np.ndarray]]:
    files = {str(image): _file(str(image)) for image in dict.fromkeys(table["image"])}
    file = np.array([files[str(image)] for image in table["image"]], float)
    features = {"file": ("width, height, aspect, bytes", file)}
    if crops is not None:
        blur = np.array([(images.sharpness(crop), float(crop.mean())) for crop in crops])
        features["blur"] = ("sharpness, darkness", blur)
    return features


def _file(image: str) -> tuple[float, float, float, float]:
    try:
        w, h = images.size(image)
    except (batch.Skip, FileNotFoundError):
        return 0.0, 0.0, 1.0, 0.0
    return w, h, w / h, Path(image).stat().st_size


def balanced(labels: np.ndarray, said: np.ndarray) -> float:
    """Mean recall of with_mask and without_mask where both are there, as everywhere; else of what is there."""
    there = [c for c in classes.NAMES if (labels == c).any()]
    asked = list(classes.NAMES[:2]) if set(classes.NAMES[:2]) <= set(there) else there
    return float(np.mean([(said[labels == c] == c).mean() for c in asked])) if asked else float("nan")


def faked(
    table: "pd.DataFrame", crops: np.ndarray, *, repeats: int = 5, side: int = 12, seed: int = 0
) -> dict[str, Any]:
    """What look-alikes in training are worth: balanced accuracy of copying the label of the most similar thumbnail.

    A rule that knows nothing of masks, only which known picture looks most alike (grey, side × side, contrast
    stretched). random: rows drawn at random for the test; group: whole groups drawn; the difference is what a random
    split fakes. leaked: accuracy on those test faces of the random split that had one of their group in training.
    """
    thumbs = np.array([_thumb(crop, side) for crop in crops])
    labels = table["label"].to_numpy(str)
    groups = np.unique(table["group"].astype(str), return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    rates: dict[str, list[float]] = {"random": [], "group": [], "leaked": []}
    for _ in range(repeats):
        for way, unit in (("random", np.arange(len(labels))), ("group", groups)):
            test = (rng.random(unit.max() + 1) < 1 / FOLDS)[unit]
            if not test.any() or test.all():
                continue
            near = (thumbs[test] @ thumbs[~test].T).argmax(1)
            said, true = labels[~test][near], labels[test]
            rates[way].append(balanced(true, said))
            leaked = np.isin(groups[test], groups[~test])
            if way == "random" and leaked.any():
                rates["leaked"].append(balanced(true[leaked], said[leaked]))
    return {way: round(float(np.mean(values)), 4) if values else None for way, values in rates.items()}


def _thumb(crop: np.ndarray, side: int) -> np.ndarray:
    grey = cv2.cvtColor(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    flat = grey.astype(np.float32).ravel() - grey.mean()
    return flat / max(float(np.linalg.norm(flat)), 1e-6)
