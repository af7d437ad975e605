"""Figures of a trained arm on real faces, and the words for them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib import dataset, detect, evaluate
from lib.classes import NAMES

__all__ = ["counted", "figures", "line", "measured"]


def measured(card: Path, tests: dict[str, pd.DataFrame], *, cache: Path) -> dict[str, Any]:
    """The figures of the model as it ships (int8, temperature, bias) on every table of real faces."""
    classify = detect.Classifier.load(card)
    told: dict[str, Any] = {}
    for name, table in tests.items():
        if not len(table):
            told[name] = None
            continue
        crops = dataset.crops(table, margin=classify.margin, size=classify.input_size, cache=cache)
        answers = evaluate.aligned(classify(crops), classify.classes)
        told[name] = false_masks(table, answers) if name == "lookalikes" else figures(table, answers)
    return told


def figures(table: pd.DataFrame, probabilities: np.ndarray) -> dict[str, Any]:
    """What the scorer of record says of answers on labelled boxes (n, 3), with intervals over units."""
    said = np.array(NAMES)[probabilities.argmax(1)].tolist()
    two = np.array(NAMES)[probabilities[:, :2].argmax(1)].tolist()
    labels, units = table["label"].tolist(), table["unit"].tolist()
    whole = evaluate.measure(labels, said, units=units)
    known = [label != NAMES[2] for label in labels]
    pair = [[v for v, k in zip(values, known, strict=True) if k] for values in (labels, two, units)]
    plain = evaluate.measure(pair[0], pair[1], units=pair[2])
    return {
        "faces": whole["faces"],
        "balanced_accuracy": whole["balanced_accuracy"],
        "balanced_accuracy_95": whole["balanced_accuracy_95"],
        "two_class": plain["balanced_accuracy"],
        "two_class_95": plain["balanced_accuracy_95"],
        "recall": whole["recall_per_class"],
        "precision_worn_incorrectly": whole["precision_mask_worn_incorrectly"],
        "confusion": whole["confusion"],
    }


def false_masks(table: pd.DataFrame, probabilities: np.ndarray) -> dict[str, Any]:
    """How many look-alike faces are said to wear a mask, in all and by kind."""
    said = np.array(NAMES)[probabilities.argmax(1)]
    wrong = pd.Series(said == NAMES[0])
    kinds = table["kind"].astype(str).reset_index(drop=True)
    by_kind = {kind: [int(part.sum()), len(part)] for kind, part in wrong.groupby(kinds)}
    return {
        "faces": len(table),
        "false_mask_rate": round(float(wrong.mean()), 4),
        "false_mask_rate_95": _share_interval(wrong.to_numpy(float), table["unit"]),
        "worn_incorrectly_rate": round(float((said == NAMES[2]).mean()), 4),
        "by_kind": by_kind,
    }


def _share_interval(wrong: np.ndarray, units: pd.Series) -> list[float]:
    """95 % bootstrap interval of a share, drawn by unit."""
    sums = pd.DataFrame({"wrong": wrong, "all": 1.0}).groupby(units.to_numpy()).sum().to_numpy()
    draws = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=2000) @ sums
    return [round(float(v), 4) for v in np.percentile(draws[:, 0] / draws[:, 1], [2.5, 97.5])]


def counted(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Faces by source, class, whether drawn, and part."""
    made = np.where(table["style"].astype(str) == "", "as it is", "drawn")
    sizes = table.assign(made=made).groupby(["source", "label", "made", "part"]).size()
    return [
        dict(zip(("source", "label", "made", "part"), key, strict=True)) | {"faces": int(n)} for key, n in sizes.items()
    ]


def table(report: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each test and arm, as the notebook shows them: means over seeds, [lowest, highest], 95 % intervals."""
    arms = [(test, arm, runs) for test, of in report.items() if isinstance(of, dict) for arm, runs in of.items()]
    tested = [(test, arm, [run for run in runs if "test" in run]) for test, arm, runs in arms if isinstance(runs, list)]
    return [_row(test, arm, runs) for test, arm, runs in tested if runs]


def _row(test: str, arm: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    real, scores = [run["test"] for run in runs], [run["test"]["balanced_accuracy"] for run in runs]
    figures = {"test": test, "arm": arm, "seeds": len(runs), "faces that teach": runs[0]["faces_an_epoch"]}
    figures |= {"balanced accuracy": _mean(scores), "seeds from, to": [min(scores), max(scores)]}
    figures |= {"95 %": _means(one["balanced_accuracy_95"] for one in real)}
    figures |= {"two classes": _mean(one["two_class"] for one in real)}
    figures |= {"incorrect, recall": _mean(one["recall"].get(NAMES[2]) for one in real)}
    figures |= {"incorrect, precision": _mean(one["precision_worn_incorrectly"] for one in real)}
    alike = _mean((run.get("lookalikes") or {}).get("false_mask_rate") for run in runs)
    return figures | {"look-alikes masked": alike, "dev": _mean(run["dev"]["balanced_accuracy"] for run in runs)}


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that there are, to four places; None where there is none."""
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None


def _means(intervals: Iterable[list[float]]) -> list[float | None]:
    return [_mean(ends) for ends in zip(*intervals, strict=True)]


def line(told: dict[str, Any]) -> str:
    """An arm's figures in a line."""
    words = []
    for name in ("dev", "test"):
        part = told.get(name)
        if part:
            third = part["recall"][NAMES[2]], part["precision_worn_incorrectly"]
            words.append(
                f"{name} {part['balanced_accuracy']} {part['balanced_accuracy_95']} (two classes {part['two_class']}), "
                f"worn incorrectly recall {third[0]} precision {third[1]}"
            )
    rate = (told.get("lookalikes") or {}).get("false_mask_rate")
    return "; ".join([*words, *([f"look-alikes {rate}"] if rate is not None else []), f"seconds {told['seconds']}"])
