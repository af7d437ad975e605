"""Boxes on photos, contact sheets, and the figures of the notebooks and reports."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from . import classes, images

if TYPE_CHECKING:
    import supervision as sv

__all__ = [
    "annotate",
    "bars",
    "clusters",
    "confusion",
    "curves",
    "frame",
    "losses",
    "png",
    "reliability",
    "sheet",
    "show",
    "stacked",
    "stages",
    "strips",
    "timeline",
]

LINE = 14  # pixels of a line of a contact sheet's captions
INK, PAPER = (20, 20, 20), (255, 255, 255)


def annotate(rgb: np.ndarray, detections: "sv.Detections") -> np.ndarray:
    """A copy of a photo with each face's box, word and probability drawn on it, in the colours of `classes`.

    Lines and letters grow with the photo; captions stay inside it and carry their own ground, so that they can be
    read on any background. detections need data["class_name"]; confidence may be missing.
    """
    picture = np.ascontiguousarray(rgb).copy()
    names = detections.data.get("class_name", np.full(len(detections), "")) if len(detections) else []
    probabilities = detections.confidence if detections.confidence is not None else [None] * len(detections)
    for box, name, probability in zip(detections.xyxy, names, probabilities, strict=True):
        frame(picture, box, classes.caption(str(name), probability), classes.COLOURS.get(str(name), INK))
    return picture


def frame(picture: np.ndarray, box: np.ndarray, caption: str, colour: tuple[int, int, int]) -> None:
    """Draw one box and its caption into a picture, in place (the one function here that changes its argument)."""
    h, w = picture.shape[:2]
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    thin = max(1, round(max(h, w) / 400))
    cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), INK, thin + 2, cv2.LINE_AA)
    cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), colour, thin, cv2.LINE_AA)
    if not caption:
        return
    scale = max(0.38, min(max(h, w) / 1400, (x2 - x1) / 120, 1.6))
    weight = 1 if scale < 0.8 else 2
    (tw, th), base = cv2.getTextSize(caption, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
    pad = max(2, round(th * 0.35))
    left = int(np.clip(x1, 0, max(0, w - tw - 2 * pad)))
    top = y1 - th - base - 2 * pad
    top = y1 if top < 0 else top
    cv2.rectangle(picture, (left, top), (left + tw + 2 * pad, top + th + base + 2 * pad), colour, -1)
    letters = PAPER if np.dot(colour, (0.299, 0.587, 0.114)) < 140 else INK
    at = (left + pad, top + pad + th)
    cv2.putText(picture, caption, at, cv2.FONT_HERSHEY_SIMPLEX, scale, letters, weight, cv2.LINE_AA)


def sheet(
    pictures: Sequence[np.ndarray],
    captions: Sequence[str] | None = None,
    *,
    colours: Sequence[tuple[int, int, int]] | None = None,
    columns: int = 8,
    side: int = 128,
) -> np.ndarray:
    """A contact sheet, rgb: pictures (any sizes) fitted into squares, each with its caption and a coloured rim.

    An empty sequence gives an empty sheet of one row. Captions take two lines where one needs it; what is longer still
    is cut in its middle.
    """
    lines = [_wrapped(str(words), side) for words in captions or ()]
    text = 0 if captions is None else 4 + LINE * max(map(len, lines), default=1)
    gap = 4
    columns = max(1, min(columns, len(pictures) or 1))
    rows = max(1, -(-len(pictures) // columns))
    page = np.full((rows * (side + text + gap) + gap, columns * (side + gap) + gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = gap + i // columns * (side + text + gap), gap + i % columns * (side + gap)
        scale = side / max(picture.shape[:2])
        wh = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        small = cv2.resize(picture, wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        top, left = y + (side - wh[1]) // 2, x + (side - wh[0]) // 2
        page[top : top + wh[1], left : left + wh[0]] = small
        if colours is not None:
            cv2.rectangle(page, (x, y), (x + side - 1, y + side - 1), colours[i], 3)
        if captions is not None:
            for k, words in enumerate(lines[i]):
                at = (x, y + side + 13 + k * LINE)
                cv2.putText(page, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.38, INK, 1, cv2.LINE_AA)
    return page


def _wrapped(words: str, width: int) -> list[str]:
    """One line, or two that break at a space; each cut in its middle where it is still wider than so many pixels."""
    if _wide(words) <= width or " " not in words:
        return [_fitted(words, width)]
    breaks = [k for k, letter in enumerate(words) if letter == " "]
    at = max((k for k in breaks if _wide(words[:k]) <= width), default=breaks[0])
    return [_fitted(words[:at], width), _fitted(words[at + 1 :], width)]


def _fitted(words: str, width: int) -> str:
    keep = len(words)
    short = words
    while keep > 1 and _wide(short) > width:
        keep -= 1
        short = f"{words[: (keep + 1) // 2]}..{words[len(words) - keep // 2 :]}"
    return short


def _wide(words: str) -> int:
    return int(cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 0.38, 1)[0][0])


def show(rgb: np.ndarray, *, alt: str, width: int = 900, quality: int = 80) -> Any:
    """A picture for a notebook cell: a JPEG at most `width` pixels wide, with alt text for those who cannot see it."""
    from IPython.display import Image

    small = images.resize(rgb, max(rgb.shape[:2]) * width // rgb.shape[1]) if rgb.shape[1] > width else rgb
    return Image(data=images.encode(small, ".jpg", quality=quality), format="jpeg", alt=alt)


# --- figures: they display themselves once as the last value of a cell, with alt text, and need no pyplot -----------

SLATE, LIGHT, BLUE = "#333333", "#dddddd", "#0072b2"
DPI = 88


def _blank(width: float, height: float, panels: int = 1, *, alt: str = "") -> tuple[Any, list[Any]]:
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


def _hue(name: str) -> Any:
    return tuple(c / 255 for c in classes.COLOURS.get(name, (90, 90, 90)))


def _titled(axis: Any, title: str, x: str, y: str) -> None:
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
    figure, axes = _blank(9, 3.4, 2, alt=f"Two curves over {len(epochs)} epochs; best balanced accuracy {best:.3f}")
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
        _titled(axis, "", "epoch", name)
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
    figure, _ = _blank(2.6 * across, 0.5 + 1.9 * down, 0, alt=f"Loss by epoch of {len(histories)} trainings")
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
    figure, (axis,) = _blank(1.8 + 1.35 * len(keep), 1.5 + 0.85 * len(rows), alt=alt)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for (r, c), count in np.ndenumerate(counts):
        ink = "white" if share[r, c] > 0.6 else "black"
        axis.text(c, r, f"{count}\n{100 * share[r, c]:.0f} %", ha="center", va="center", fontsize=10, color=ink)
    words = classes.WORDS | {"missed": "Missed"}
    axis.set_xticks(range(len(keep)), [words.get(columns[i], columns[i]) for i in keep])
    axis.set_yticks(range(len(rows)), [words.get(name, name) for name in rows])
    axis.spines[:].set_visible(False)
    _titled(axis, title or f"{right} of {counts.sum()} faces are right", "answered", "true")
    return figure


def reliability(table: Any, *, title: str = "") -> Any:
    """Is an answer that says 90 % right nine times in ten? Bars by confidence, on the diagonal where honest.

    table: rows low, high, faces, confidence, accuracy, as `evaluate.reliability` gives them.
    """
    faces = int(table["faces"].sum()) if len(table) else 0
    gap = float(((table["confidence"] - table["accuracy"]).abs() * table["faces"]).sum() / max(faces, 1))
    figure, axes = _blank(7.5, 3.4, 2, alt=f"Reliability of {faces} answers; mean gap {100 * gap:.1f} points")
    left, right = axes
    middle, width = (table["low"] + table["high"]) / 2, (table["high"] - table["low"]) * 0.92
    left.bar(middle, table["accuracy"], width=width, color=BLUE, alpha=0.75)
    left.plot([0, 1], [0, 1], "--", color=SLATE, linewidth=1)
    left.plot(table["confidence"], table["accuracy"], "o", color="#d55e00", markersize=5)
    left.set(xlim=(0.3, 1.01), ylim=(0, 1.03))
    _titled(left, title or f"Mean gap of the two: {100 * gap:.1f} points", "how sure the answer is", "share right")
    right.bar(middle, table["faces"], width=width, color=LIGHT, edgecolor=SLATE)
    right.set(xlim=(0.3, 1.01))
    _titled(right, "How many answers are that sure", "how sure the answer is", "faces")
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
    figure, (panel,) = _blank(7.5, 0.9 + 0.36 * max(len(names), 1), alt=f"{title}: {alt}")
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
    _titled(panel, title, axis, "")
    return figure


def stacked(table: Any, *, title: str, axis: str = "faces") -> Any:
    """Counts by source and class as stacked bars; table: a DataFrame, a row a bar, a column a class, in our colours."""
    totals = table.sum(axis=1)
    alt = f"{title}: " + "; ".join(f"{name} {int(total)}" for name, total in totals.items())
    figure, (panel,) = _blank(7.5, 1.2 + 0.42 * max(len(table), 1), alt=alt)
    place, left = np.arange(len(table))[::-1], np.zeros(len(table))
    for name in table.columns:
        panel.barh(
            place, table[name], left=left, color=_hue(str(name)), height=0.62, label=classes.WORDS.get(name, name)
        )
        left = left + table[name].to_numpy()
    panel.set_yticks(place, [str(n) for n in table.index], fontsize=9)
    panel.grid(axis="x", color=LIGHT, linewidth=0.6)
    figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=max(1, len(table.columns)))
    _titled(panel, title, axis, "")
    return figure


def clusters(
    groups: Sequence[Sequence[np.ndarray]], captions: Sequence[str], *, side: int = 84, most: int = 10
) -> np.ndarray:
    """Groups of look-alikes as rows of pictures, rgb: a caption, then at most `most` members, and how many more."""
    rows = []
    for members, caption in zip(groups, captions, strict=True):
        row = np.full((side + 22, most * (side + 4) + 4, 3), 255, np.uint8)
        words = caption if len(members) <= most else f"{caption} (the first {most} of {len(members)})"
        cv2.putText(row, words, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
        for i, member in enumerate(members[:most]):
            x = 4 + i * (side + 4)
            row[20 : 20 + side, x : x + side] = cv2.resize(member, (side, side), interpolation=cv2.INTER_AREA)
        rows.append(row)
    return np.concatenate(rows) if rows else np.full((side, side, 3), 255, np.uint8)


STAGES = {  # of a frame's way, in order, with a colour-blind-safe colour each (Okabe and Ito 2008)
    "wait for frame": "#bbbbbb",
    "detect": "#0072b2",
    "find": "#0072b2",
    "crop": "#56b4e9",
    "classify": "#d55e00",
    "track": "#e69f00",
    "draw": "#009e73",
    "encode": "#cc79a7",
}


def stages(ways: Any, *, title: str) -> Any:
    """Where the time of a frame goes, as stacked bars; ways: {name: {stage: milliseconds a frame}}."""
    totals = {name: sum(way.values()) for name, way in ways.items()}
    alt = f"{title}: " + "; ".join(f"{name} {total:.0f} ms" for name, total in totals.items())
    figure, (panel,) = _blank(7.5, 1.3 + 0.5 * max(len(ways), 1), alt=alt)
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
    _titled(panel, title, "milliseconds a frame", "")
    return figure


def timeline(counts: Any, *, title: str) -> Any:
    """People by label over time, stacked; counts: seconds and a column a class, as `video.counts` gives."""
    names = [n for n in (*classes.NAMES, classes.UNSURE) if n in counts and (counts[n] > 0).any()]
    most = int(counts[names].sum(axis=1).max()) if names and len(counts) else 0
    figure, (panel,) = _blank(7.5, 2.4, alt=f"{title}; at most {most} people at once")
    if names:
        series = [counts[n].to_numpy(float) for n in names]
        panel.stackplot(
            counts["seconds"], series, step="post", colors=[_hue(n) for n in names],
            labels=[classes.WORDS[n] for n in names],
        )  # fmt: skip
        panel.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    panel.yaxis.get_major_locator().set_params(integer=True)
    panel.set_ylim(0, most + 0.5)
    _titled(panel, title, "seconds", "people")
    return figure


def strips(faces: Any, *, title: str, most: int = 6) -> Any:
    """Each person's label frame by frame, before the vote (upper strip) and after it (lower), in the classes' colours.

    faces: rows of person, seconds, raw, shown, as `video.annotate` gives; the `most` people seen longest are drawn.
    """
    longest = faces["person"].value_counts().index[:most].sort_values()
    figure, (panel,) = _blank(7.5, 0.9 + 0.55 * max(len(longest), 1), alt=f"{title}; {len(longest)} people")
    step = float(np.median(np.diff(np.unique(faces["seconds"])))) if faces["seconds"].nunique() > 1 else 0.1
    for i, person in enumerate(longest):
        mine = faces[faces["person"] == person]
        for column, place in (("raw", i - 0.19), ("shown", i + 0.19)):
            colours = [_hue(str(name)) for name in mine[column]]
            panel.barh([place] * len(mine), step, left=mine["seconds"], height=0.34, color=colours)
    panel.set_yticks(range(len(longest)), [f"person {p}" for p in longest], fontsize=9)
    panel.invert_yaxis()
    _titled(panel, title, "seconds; upper strip: each frame alone, lower strip: after the vote", "")
    return figure
