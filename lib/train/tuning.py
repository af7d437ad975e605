"""From a network's probabilities to its answer: temperature, class bias and the threshold of "unsure"."""

from typing import Any

import numpy as np

from ..classes import NAMES

__all__ = ["measures", "tune"]

EPSILON = 1e-7


def tune(
    probabilities: np.ndarray,
    labels: np.ndarray,
    *,
    right: float = 0.98,
    worn: float | None = None,
    classes: tuple[str, ...] = NAMES,
) -> dict[str, Any]:
    """Temperature, class bias and the threshold of "unsure" from validation answers (n, k) and labels (n,).

    The answer is then softmax(log p / temperature + bias). Temperature: the least negative log-likelihood. Bias: of
    the third class and of the second, for the best mean of the first two recalls and the third's F1. worn: the share
    of the third class among the faces that will be seen, where validation has another one (Saerens et al. 2002);
    unsure_below: the lowest threshold above which a share `right` of answers is right, 0.9 at most. classes: what the
    columns stand for; a third one that is not_a_face gets no bias.
    """
    logits = np.log(np.clip(probabilities, EPSILON, 1))
    rows = np.arange(len(labels))
    scales = np.exp(np.linspace(np.log(0.4), np.log(3), 60))
    losses = [-np.log(_softmax(logits / t)[rows, labels] + EPSILON).mean() for t in scales]
    temperature = float(scales[int(np.argmin(losses))])
    bias, third = np.zeros(probabilities.shape[1]), max(int((labels == 2).sum()), 1)
    rare = 1.0 if worn is None else worn / (1 - worn) * (len(labels) - third) / third
    for _ in range(2):
        for column, limit in ((2, 4.0), (1, 1.0)):
            if classes[column : column + 1] == NAMES[column : column + 1] and (labels == column).any():
                bias[column] = _shift(logits / temperature, labels, bias, column, limit=limit, rare=rare)
    final = _softmax(logits / temperature + bias)
    sure, correct = final.max(1), final.argmax(1) == labels
    floor = 1 / probabilities.shape[1]
    steps = np.arange(round(max(floor, 0.4), 2), 0.905, 0.01)
    good = [t for t in steps if (sure >= t).any() and correct[sure >= t].mean() >= right]
    return {
        "temperature": round(temperature, 4),
        "bias": [round(float(b), 3) for b in bias],
        "unsure_below": round(float(good[0] if good else 0.9), 2),
    }


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _shift(
    logits: np.ndarray, labels: np.ndarray, bias: np.ndarray, column: int, *, limit: float, rare: float
) -> float:
    """The best bias of one class, to a tenth; of those that are as good, the one nearest to none."""
    steps = np.linspace(-limit, limit, round(20 * limit) + 1)
    others = np.where(np.arange(len(bias)) == column, 0, bias)
    scores = np.array([_worth(logits + others + s * (np.arange(len(bias)) == column), labels, rare) for s in steps])
    good = steps[scores >= scores.max() - 0.002]
    return float(good[np.abs(good).argmin()])


def _worth(logits: np.ndarray, labels: np.ndarray, rare: float) -> float:
    """rare: what a face of the third class counts in its F1."""
    answer = logits.argmax(1)
    recalls = [(answer[labels == c] == c).mean() for c in (0, 1) if (labels == c).any()]
    weight = np.where(labels == 2, rare, 1.0)
    both = weight[(answer == 2) & (labels == 2)].sum()
    f1 = 2 * both / max(1e-9, weight[answer == 2].sum() + weight[labels == 2].sum())
    return float(np.mean([*recalls, f1]))


def measures(
    probabilities: np.ndarray, labels: np.ndarray, *, classes: tuple[str, ...], tuned: dict[str, Any]
) -> dict[str, Any]:
    """Figures of the answer that ships, where the second half of the rows are the first half's faces seen small."""
    logits = np.log(np.clip(probabilities, EPSILON, 1)) / tuned["temperature"] + np.array(tuned["bias"])
    best, sure = logits.argmax(1), _softmax(logits).max(1)
    half = len(labels) // 2
    report: dict[str, Any] = {"faces": half, "unsure": round(float((sure < tuned["unsure_below"]).mean()), 4)}
    for kind, side in (("as_they_are", slice(0, half)), ("small", slice(half, None))):
        there = [c for c in range(len(classes)) if (labels[side] == c).any()]
        recall = {classes[c]: float((best[side][labels[side] == c] == c).mean()) for c in there}
        precision = {classes[c]: float((labels[side][best[side] == c] == c).mean()) for c in set(best[side])}
        report[kind] = {
            "balanced_accuracy": round(float(np.mean([recall[n] for n in NAMES[:2] if n in recall] or [0])), 4),
            "recall": {n: round(v, 4) for n, v in recall.items()},
            "precision": {n: round(precision[n], 4) for n in classes if n in precision},
        }
    return report
