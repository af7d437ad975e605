"""Figures of how good a model is: confusion, reliability, what it trades, what it makes of other sources."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import classes
from .figures import BLUE, LIGHT, SLATE, blank, hue, titled

__all__ = ["confusion", "matrix", "reliability", "tradeoffs"]


def confusion(table: Any, *, title: str = "") -> Any:
    """A confusion matrix: rows are what is true, columns what was answered; counts, and shades by share of the row.

    table: as `evaluate.measure` gives it: {"columns": [...], class: [counts]}. Empty rows and columns are left out,
    but the classes that were asked stay.
    """
    columns = list(table["columns"])
    rows = [name for name in table if name != "columns" and sum(table[name])]
    counts = np.array([table[name] for name in rows], int).reshape(len(rows), len(columns))
    keep = [i for i, name in enumerate(columns) if name in rows or counts[:, i].sum()]
    counts = counts[:, keep]
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    right = sum(counts[r, keep.index(columns.index(name))] for r, name in enumerate(rows))
    alt = f"Confusion matrix of {counts.sum()} faces, {right} of them right"
    figure, (axis,) = blank(1.8 + 1.35 * len(keep), 1.5 + 0.85 * len(rows), alt=alt)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for (r, c), count in np.ndenumerate(counts):
        ink = "white" if share[r, c] > 0.6 else "black"
        axis.text(c, r, f"{count}\n{100 * share[r, c]:.0f} %", ha="center", va="center", fontsize=10, color=ink)
    words = classes.WORDS | {"missed": "Missed"}
    axis.set_xticks(range(len(keep)), [words.get(columns[i], columns[i]) for i in keep])
    axis.set_yticks(range(len(rows)), [words.get(name, name) for name in rows])
    axis.spines[:].set_visible(False)
    titled(axis, title or f"{right} of {counts.sum()} faces are right", "answered", "true")
    return figure


def reliability(table: Any, *, title: str = "") -> Any:
    """Is an answer that says 90 % right nine times in ten? Bars by confidence, on the diagonal where honest.

    table: rows low, high, faces, confidence, accuracy, as `evaluate.reliability` gives them.
    """
    faces = int(table["faces"].sum()) if len(table) else 0
    gap = float(((table["confidence"] - table["accuracy"]).abs() * table["faces"]).sum() / max(faces, 1))
    figure, axes = blank(7.5, 3.4, 2, alt=f"Reliability of {faces} answers; mean gap {100 * gap:.1f} points")
    left, right = axes
    middle, width = (table["low"] + table["high"]) / 2, (table["high"] - table["low"]) * 0.92
    left.bar(middle, table["accuracy"], width=width, color=BLUE, alpha=0.75)
    left.plot([0, 1], [0, 1], "--", color=SLATE, linewidth=1)
    left.plot(table["confidence"], table["accuracy"], "o", color="#d55e00", markersize=5)
    left.set(xlim=(0.3, 1.01), ylim=(0, 1.03))
    titled(left, title or f"Mean gap of the two: {100 * gap:.1f} points", "how sure the answer is", "share right")
    right.bar(middle, table["faces"], width=width, color=LIGHT, edgecolor=SLATE)
    right.set(xlim=(0.3, 1.01))
    titled(right, "How many answers are that sure", "how sure the answer is", "faces")
    return figure


def tradeoffs(lines: Mapping[str, Any], *, title: str = "") -> Any:
    """ROC on the left, precision over recall on the right, a line a class in its colour.

    lines: {class: {"auc": value or None, "auc_95", "ap", "ap_95", "roc": rows of false and true positive rate, "pr":
    rows of recall and precision}}, as `evaluate.curves` gives them. A class without faces has no line.
    """
    known = {name: line for name, line in lines.items() if line["auc"] is not None}
    alt = "; ".join(f"{name}: AUC {line['auc']:.3f}, AP {line['ap']:.3f}" for name, line in known.items())
    figure, (left, right) = blank(9.5, 4.2, 2, alt=f"ROC and precision-recall curves. {alt}")
    for name, line in known.items():
        words = classes.WORDS.get(name, name)
        left.plot(*np.transpose(line["roc"]), color=hue(name), label=f"{words}: AUC {_within(line, 'auc')}")
        right.plot(*np.transpose(line["pr"]), color=hue(name), label=f"{words}: AP {_within(line, 'ap')}")
    left.plot([0, 1], [0, 1], "--", color=SLATE, linewidth=1)
    titled(left, title or "One class against the others", "false positive rate", "true positive rate")
    titled(right, "", "recall", "precision")
    for axis in (left, right):
        axis.set(xlim=(-0.01, 1.01), ylim=(0, 1.02))
        axis.grid(color=LIGHT, linewidth=0.6)
        if known:
            axis.legend(fontsize=8, frameon=False, loc="lower right" if axis is left else "lower left")
    return figure


def _within(line: Mapping[str, Any], key: str) -> str:
    low_high: Sequence[float] | None = line.get(f"{key}_95")
    return f"{line[key]:.3f}" + (f" ({low_high[0]:.3f}\u2013{low_high[1]:.3f})" if low_high else "")


def matrix(table: Any, *, title: str = "Balanced accuracy: trained on the row, tested on the column") -> Any:
    """What a model makes of sources that it never saw: a square a pair, darker where better, with its interval.

    table: rows trained, tested, balanced_accuracy, low, high, as `evaluate.cross` gives them; a pair without a figure
    stays empty.
    """
    rows, columns = (list(dict.fromkeys(table[name])) for name in ("trained", "tested"))
    figure, (axis,) = blank(2.6 + 1.45 * len(columns), 1.2 + 0.75 * len(rows), alt=f"{title}: {_pairs(table)}")
    values = np.full((len(rows), len(columns)), np.nan)
    for row in table.itertuples(index=False):
        place = rows.index(row.trained), columns.index(row.tested)
        values[place] = np.nan if row.balanced_accuracy is None else row.balanced_accuracy
        if np.isfinite(values[place]):
            words = f"{100 * values[place]:.1f} %\n({100 * row.low:.1f}\u2013{100 * row.high:.1f})"
            ink = "white" if values[place] > 0.85 else "black"
            axis.text(place[1], place[0], words, ha="center", va="center", fontsize=9, color=ink)
    axis.imshow(values, cmap="Blues", vmin=0.4, vmax=1.05, aspect="auto")
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    axis.spines[:].set_visible(False)
    titled(axis, title, "tested on", "trained on")
    return figure


def _pairs(table: Any) -> str:
    known = table.dropna(subset="balanced_accuracy").itertuples(index=False)
    return "; ".join(f"{row.trained} to {row.tested} {100 * row.balanced_accuracy:.1f} %" for row in known)
