"""Figures that display themselves once as the last value of a cell, with alt text; they need no pyplot."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import classes

__all__ = ["bars", "curves", "losses", "png", "stacked", "stages", "strips", "timeline"]

SLATE, LIGHT, BLUE = "#333333", "#dddddd", "#0072b2"
DPI = 88


def blank(width: float, height: float, panels: int = 1, *, alt: str = "") -> tuple[Any, list[Any]]:
    """A figure of so many inches that shows itself as PNG, and its panels side by side."""
    from matplotlib.figure import Figure

    class Shown(Figure):
        """Knows its alt text, and is drawn once however many formatters ask."""

        alt = ""

        def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            return {"image/png": png(self), "text/plain": self.alt or "figure"}, {"image/png": {"alt": self.alt}}

    figure = Shown(figsize=(width, height), layout="constrained", dpi=DPI, facecolor="white")
    figure.alt = alt
    axes = [figure.add_subplot(1, panels, i + 1) for i in range(panels)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=9, colors=SLATE)
        axis.set_axisbelow(True)
    return figure, axes


def png(figure: Any) -> bytes:
    """A figure as the bytes of a PNG file."""
    import io

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def hue(name: str) -> Any:
    """The colour of a class as matplotlib takes it; grey for any other word."""
    return tuple(c / 255 for c in classes.COLOURS.get(name, (90, 90, 90)))


def titled(axis: Any, title: str, x: str, y: str) -> None:
    """Write title and axes' names in the letters of all figures here."""
    axis.set_title(title, fontsize=10.5, loc="left", wrap=True)
    axis.set_xlabel(x, fontsize=9)
    axis.set_ylabel(y, fontsize=9)


def curves(history: Any, *, title: str = "") -> Any:
    """Loss and balanced accuracy by epoch, with a mark where the layers were freed.

    history: a DataFrame of epoch, stage ('head', then 'all'), loss, val_loss, accuracy, val_balanced.
    """
    epochs = history["epoch"].to_numpy()
    freed = next((e for e, s in zip(epochs, history["stage"], strict=True) if s != "head"), None)
    best = float(history["val_balanced"].max()) if len(history) else 0.0
    figure, axes = blank(9, 3.4, 2, alt=f"Two curves over {len(epochs)} epochs; best balanced accuracy {best:.3f}")
    for axis, columns, name in (
        (axes[0], (("loss", "training"), ("val_loss", "validation")), "loss"),
        (axes[1], (("accuracy", "training, augmented"), ("val_balanced", "validation, balanced")), "accuracy"),
    ):
        for (column, label), colour, style in zip(columns, (BLUE, "#d55e00"), ("--", "-"), strict=True):
            axis.plot(epochs, history[column], style, color=colour, marker="o", markersize=4, label=label)
        if freed is not None and freed > epochs.min():
            axis.axvline(freed - 0.5, color=SLATE, linewidth=1, linestyle=":")
            axis.text(freed - 0.45, 0.02, "layers freed", fontsize=8, color=SLATE, transform=axis.get_xaxis_transform())
        axis.grid(color=LIGHT, linewidth=0.6)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(fontsize=8, frameon=False)
        titled(axis, "", "epoch", name)
    figure.suptitle(
        title or f"Best balanced accuracy on validation: {100 * best:.1f} %", fontsize=11, x=0.01, ha="left"
    )
    return figure


def losses(histories: Mapping[str, Any], *, title: str = "") -> Any:
    """Loss by epoch of many trainings, a panel each, on one scale: dashed for training, solid for validation.

    histories: name → a DataFrame of epoch, loss, val_loss; a loss above four times the median of all is cut off.
    """
    across = max(1, min(4, len(histories)))
    down = max(1, -(-len(histories) // across))
    figure, _ = blank(2.6 * across, 0.5 + 1.9 * down, 0, alt=f"Loss by epoch of {len(histories)} trainings")
    seen = [v for h in histories.values() for c in ("loss", "val_loss") for v in h[c] if np.isfinite(v)]
    top = min(max(seen, default=1.0), 4 * float(np.median(seen)) if seen else 1.0) * 1.05
    for i, (name, history) in enumerate(histories.items()):
        axis = figure.add_subplot(down, across, i + 1)
        axis.spines[["top", "right"]].set_visible(False)
        for column, style, colour in (("loss", "--", BLUE), ("val_loss", "-", "#d55e00")):
            axis.plot(history["epoch"], history[column], style, color=colour, marker="o", markersize=3)
        axis.set_ylim(0, top)
        axis.grid(color=LIGHT, linewidth=0.6)
        axis.tick_params(labelsize=8, colors=SLATE)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_title(name, fontsize=8.5, loc="left", wrap=True)
    figure.suptitle(title or "Loss by epoch: training (dashed) and validation", fontsize=11, x=0.01, ha="left")
    return figure


def bars(names: Sequence[str], values: Sequence[float], *, title: str, axis: str, **options: Any) -> Any:
    """Horizontal bars with names and values beside them, in the order given.

    options: intervals, a list of (low, high) or None; colours, one a bar; percent=False to show plain numbers;
    limit, where the axis ends.
    """
    names, values = list(names), [float(v) if v is not None else float("nan") for v in values]
    percent, intervals = options.get("percent", True), options.get("intervals") or [None] * len(names)
    colours = options.get("colours") or [BLUE] * len(names)
    written = ["–" if v != v else f"{100 * v:.1f} %" if percent else f"{v:,.0f}" for v in values]
    alt = "; ".join(f"{n} {w}" for n, w in zip(names, written, strict=True))
    figure, (panel,) = blank(7.5, 0.9 + 0.36 * max(len(names), 1), alt=f"{title}: {alt}")
    place = np.arange(len(names))[::-1]
    panel.barh(place, values, color=colours, height=0.62)
    top = options.get("limit") or (1.0 if percent else max([v for v in values if v == v], default=1.0))
    for y, value, word, interval in zip(place, values, written, intervals, strict=True):
        end = value
        if interval is not None and interval[0] is not None and interval[0] == interval[0]:
            panel.plot(interval, [y, y], color=SLATE, linewidth=1.4, solid_capstyle="butt", marker="|")
            end = max(value, interval[1])
        end = 0.0 if end != end else end
        panel.text(end + 0.012 * top, y, word, va="center", fontsize=9)
    panel.set_yticks(place, names, fontsize=9)
    panel.set_xlim(0, top * 1.14)
    panel.grid(axis="x", color=LIGHT, linewidth=0.6)
    titled(panel, title, axis, "")
    return figure


def stacked(table: Any, *, title: str, axis: str = "faces") -> Any:
    """Counts by source and class as stacked bars; table: a DataFrame, a row a bar, a column a class, in our colours."""
    totals = table.sum(axis=1)
    alt = f"{title}: " + "; ".join(f"{name} {int(total)}" for name, total in totals.items())
    figure, (panel,) = blank(7.5, 1.2 + 0.42 * max(len(table), 1), alt=alt)
    place, left = np.arange(len(table))[::-1], np.zeros(len(table))
    for name in table.columns:
        panel.barh(
            place, table[name], left=left, color=hue(str(name)), height=0.62, label=classes.WORDS.get(name, name)
        )
        left = left + table[name].to_numpy()
    panel.set_yticks(place, [str(n) for n in table.index], fontsize=9)
    panel.grid(axis="x", color=LIGHT, linewidth=0.6)
    figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=max(1, len(table.columns)))
    titled(panel, title, axis, "")
    return figure


STAGES = {  # of a frame's way, in order, with a colour-blind-safe colour each (Okabe and Ito 2008)
    "wait for frame": "#bbbbbb",
    "detect": "#0072b2",
    "find": "#0072b2",
    "crop": "#56b4e9",
    "classify": "#d55e00",
    "letterbox": "#f0e442",
    "network": "#009e73",
    "boxes": "#cc79a7",
    "track": "#e69f00",
    "draw": "#009e73",
    "encode": "#cc79a7",
}


def stages(ways: Any, *, title: str) -> Any:
    """Where the time of a frame goes, as stacked bars; ways: {name: {stage: milliseconds a frame}}."""
    totals = {name: sum(way.values()) for name, way in ways.items()}
    alt = f"{title}: " + "; ".join(f"{name} {total:.0f} ms" for name, total in totals.items())
    figure, (panel,) = blank(7.5, 1.3 + 0.5 * max(len(ways), 1), alt=alt)
    known = [stage for stage in STAGES if any(stage in way for way in ways.values())]
    rest = [stage for way in ways.values() for stage in way if stage not in STAGES]
    left = np.zeros(len(ways))
    for stage in [*known, *dict.fromkeys(rest)]:
        wide = np.array([way.get(stage, 0.0) for way in ways.values()])
        panel.barh(list(ways), wide, left=left, height=0.6, color=STAGES.get(stage, SLATE), label=stage)
        left = left + wide
    for i, total in enumerate(left):
        panel.text(total, i, f" {total:.1f} ms", va="center", fontsize=9)
    panel.set_xlim(0, 1.15 * max([*left, 1e-9]))
    panel.invert_yaxis()
    figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=8)
    titled(panel, title, "milliseconds a frame", "")
    return figure


def timeline(counts: Any, *, title: str) -> Any:
    """People by label over time, stacked; counts: seconds and a column a class, as `video.counts` gives."""
    names = [n for n in (*classes.NAMES, classes.UNSURE) if n in counts and (counts[n] > 0).any()]
    most = int(counts[names].sum(axis=1).max()) if names and len(counts) else 0
    figure, (panel,) = blank(7.5, 2.4, alt=f"{title}; at most {most} people at once")
    if names:
        series = [counts[n].to_numpy(float) for n in names]
        panel.stackplot(
            counts["seconds"], series, step="post", colors=[hue(n) for n in names],
            labels=[classes.WORDS[n] for n in names],
        )  # fmt: skip
        panel.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    panel.yaxis.get_major_locator().set_params(integer=True)
    panel.set_ylim(0, most + 0.5)
    titled(panel, title, "seconds", "people")
    return figure


def strips(faces: Any, *, title: str, most: int = 6) -> Any:
    """Each person's label frame by frame, before the vote (upper strip) and after it (lower), in the classes' colours.

    faces: rows of person, seconds, raw, shown, as `video.annotate` gives; the `most` people seen longest are drawn.
    """
    longest = faces["person"].value_counts().index[:most].sort_values()
    figure, (panel,) = blank(7.5, 0.9 + 0.55 * max(len(longest), 1), alt=f"{title}; {len(longest)} people")
    step = float(np.median(np.diff(np.unique(faces["seconds"])))) if faces["seconds"].nunique() > 1 else 0.1
    for i, person in enumerate(longest):
        mine = faces[faces["person"] == person]
        for column, place in (("raw", i - 0.19), ("shown", i + 0.19)):
            colours = [hue(str(name)) for name in mine[column]]
            panel.barh([place] * len(mine), step, left=mine["seconds"], height=0.34, color=colours)
    panel.set_yticks(range(len(longest)), [f"person {p}" for p in longest], fontsize=9)
    panel.invert_yaxis()
    titled(panel, title, "seconds; upper strip: each frame alone, lower strip: after the vote", "")
    return figure
