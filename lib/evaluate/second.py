"""A second opinion on labels: what a light probe says of faces that it did not learn from."""

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dataset, model

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["features", "second_opinion"]

FOLDS = 5
FIT = 3.0  # scikit-learn's C times the number of faces: little, because a thousand features explain any label
BATCH = 64


def features(
    crops: np.ndarray,
    *,
    weights: str | Path | None = "imagenet",
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> np.ndarray:
    """What a MobileNetV2 backbone makes of crops (n, s, s, 3): float (n, 1280). s is a multiple of 32.

    weights: as for `model.mobilenet_v2`. A backbone that learnt from these very faces remembers their labels.
    """
    import keras

    if not len(crops):
        return np.zeros((0, 1280), np.float32)
    network = model.mobilenet_v2(size=crops.shape[1], weights=weights)
    inside = model.backbone(network)
    assert inside is not None
    seen = keras.Model(network.input, inside(network.get_layer("normalise").output, training=False))
    parts = range(0, len(crops), BATCH)
    return np.concatenate(
        [np.asarray(seen(crops[i : i + BATCH].astype(np.float32))) for i in (progress or iter)(parts)]
    )


def second_opinion(table: "pd.DataFrame", values: np.ndarray, *, seed: int = 0) -> "pd.DataFrame":
    """Judge every face by a logistic regression that learnt from other groups only: answer, score, doubt, denied.

    values (n, k): features of the table's faces. Five folds by group (by photo where there are none), so that no
    look-alike of a face teaches its label. score is the probability of the answer, doubt one minus that of the label.
    denied: the answer is another class than the label. Raises ValueError for one class only, or fewer than two groups.
    """
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    labels = dataset.trainable(table)["label"].to_numpy(str)
    told = "group" in table and table["group"].fillna("").ne("").all()
    groups = pd.factorize(table["group"] if told else table["image"])[0]
    if len(set(groups)) < 2:
        raise ValueError("second opinion: needs at least two groups of look-alikes, got one")
    cut = StratifiedGroupKFold(min(FOLDS, len(set(groups))), shuffle=True, random_state=seed)
    probe: Any = make_pipeline(StandardScaler(), LogisticRegression(C=FIT / len(labels), max_iter=1000))
    with warnings.catch_warnings(), threadpool_limits(1):  # on a busy machine many threads wait for one another
        warnings.simplefilter("ignore")  # a class with fewer faces than folds; a fold without one of the classes
        p = cross_val_predict(probe, values, labels, groups=groups, cv=cut, method="predict_proba")
    names = np.unique(labels)
    own = p[np.arange(len(labels)), np.searchsorted(names, labels)]
    answer = names[p.argmax(1)]
    return table.reset_index(drop=True).assign(answer=answer, score=p.max(1), doubt=1 - own, denied=answer != labels)
