"""The report of an examined model: an HTML page with pictures, the same figures as JSON, a table for a terminal."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets, boxes, classes, images, model, plots
from .answers import worst
from .attention import attention
from .examining import Examined
from .measures import MISSED
from .report import report
from .traits import HOW

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["page", "words"]

WALL, GLOW, SIDE = 40, 16, 144  # pictures on a wall, under the glow, and pixels of one
SHORT = dict(zip(classes.NAMES, ("mask", "bare", "ill worn"), strict=True))  # for captions
BOX = ["x1", "y1", "x2", "y2"]


def words(done: Examined) -> str:
    """The figures in a dozen lines for a terminal."""
    figures = done.figures
    lines = [_title(figures), ""]
    lines += [f"{r['figure']:<16}{_percent(r, 'balanced_accuracy'):<24}{r['faces']} faces" for r in figures["three"]]
    lines += ["", f"{'':<24}{'precision':>10}{'recall':>10}{'F1':>10}{'AUC':>10}{'AP50':>10}{'faces':>8}"]
    for row in _classes(figures).itertuples(index=False):
        numbers = "".join(f"{_number(v):>10}" for v in (row.precision, row.recall, row.f1, row.AUC, row.AP50))
        lines.append(f"{row[0]:<24}{numbers}{row.faces:>8}")
    found, ranks = figures["detected"], figures["average_precision"]
    lines += [
        "",
        f"mAP50 with/without {_number(ranks['map50_with_without'])}, three {_number(ranks['map50_three_classes'])}",
    ]
    lines[-1] += f"; faces found {_number(found['face_recall'])}; ECE {_number(figures['ece'])}"
    for row in [row for row in figures.get("marked", ()) if row["kind"].startswith("all")]:
        told = _percent(row, "rate")
        lines.append(
            f"false masks on marked look-alikes, {row['kind']}: {row['false_masks']} of {row['faces']}, {told}"
        )
    return "\n".join([*lines, *done.notes])


def page(done: Examined, folder: str | Path, *, card: str | Path = "full") -> Path:
    """Write folder/report.html and report.json; returns the path of the page.

    card: the model's name or card, whose Keras file, where it lies beside and TensorFlow is installed, shows where the
    network looks.
    """
    parts, f = _parts(done), done.figures
    sections: list[tuple[str, str, Any]] = [
        ("In short", " ".join(done.notes), _percents(done.tables["three"])),
        ("Classes", _CLASSES, _classes(f)),
        ("Confusion", "On the labelled boxes, then of the whole detector.", [
            plots.confusion(f["labelled_boxes"]["confusion"], title="Labelled boxes"),
            plots.confusion(f["detected"]["confusion"], title="End to end, with missed faces")]),
        ("Finding faces", f["score"], [_precisions(f["average_precision"]), done.tables["face recall"], _sizes(done)]),
        ("What a threshold trades", _CURVES, plots.tradeoffs(f["curves"])),
        ("Calibration", _calibration(f), plots.reliability(done.tables["reliability"])),
        ("Slices", HOW, done.tables["slices"]),
        *_marked(done),
        ("Worst errors", _WORST.format(*_wrong(done)), _wall(parts["wrong"], answers=True)),
        ("Missed faces", _MISSED, _wall(parts["missed"], answers=False)),
        *_glow(assets.model(card), parts),
    ]  # fmt: skip
    return report(folder, title=_title(f), sections=sections, figures=f)


_CLASSES = (
    "Precision, recall and F1 by the three-class answer on the labelled boxes; AUC and AP by the class's probability "
    "there; AP50 of the whole detector, where the box must be right too."
)
_CURVES = (
    "Each class against the two others, on the labelled boxes; in brackets 95 % intervals over photos. "
    "One without width means that no draw had an error, not that there is no doubt."
)
_MISSED = "The largest labelled faces that the face finder overlooked."
_WORST = "{} of {} faces are wrong on their labelled boxes; those with the least probability of the truth come first."


def _title(f: Mapping[str, Any]) -> str:
    faces, photos = f["labelled_boxes"]["faces_total"], f["labelled_boxes"]["photos"]
    return f"{f['model']} on {f['data']}: {faces:,} faces of at least {f['min_side']:g} pixels, {photos:,} photos"


def _number(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"


def _percent(row: Mapping[str, Any], key: str) -> str:
    value, low, high = row[key], row["low"], row["high"]
    if value is None or value != value:
        return "–"
    return f"{100 * value:.1f} %" + (f" ({100 * low:.1f}–{100 * high:.1f})" if low is not None and low == low else "")


def _percents(table: "pd.DataFrame") -> "pd.DataFrame":
    said = [_percent(row, "balanced_accuracy") for row in table.to_dict(orient="records")]
    return table[["figure"]].assign(**{"balanced accuracy (95 % interval)": said, "faces": table["faces"]})


def _classes(f: Mapping[str, Any]) -> "pd.DataFrame":
    import pandas as pd

    rows = []
    for name, own in f["labelled_boxes"]["per_class"].items():
        areas = {"AUC": f["curves"][name]["auc"], "AP": f["curves"][name]["ap"]}
        rows.append({"class": name, **own, **areas, "AP50": f["average_precision"]["ap50"][name]})
    return pd.DataFrame(rows)


def _precisions(ranks: Mapping[str, Any]) -> "pd.DataFrame":
    import pandas as pd

    rows = [(f"AP50 {name}", value, *(ranks["ap50_95"][name] or (None, None))) for name, value in ranks["ap50"].items()]
    for key, name in (("with_without", "mAP50, with and without"), ("three_classes", "mAP50, three classes")):
        rows.append((name, ranks[f"map50_{key}"], *(ranks[f"map50_{key}_95"] or (None, None))))
    return pd.DataFrame(rows, columns=["figure", "value", "low", "high"])


def _sizes(done: Examined) -> Any:
    table = done.tables["face recall"]
    names = [f"{row[0]} px ({row[1]})" for row in table.itertuples(index=False)]
    ends = list(zip(table["low"], table["high"], strict=True))
    return plots.bars(names, table["recall"], title="Faces found, by the shorter side", axis="recall", intervals=ends)


def _calibration(f: Mapping[str, Any]) -> str:
    ends = f["ece_95"]
    within = f" ({ends[0]:.3f}–{ends[1]:.3f})" if ends else ""
    return f"Expected calibration error {f['ece']:.3f}{within}, 15 bins, on the labelled boxes."


def _wrong(done: Examined) -> tuple[int, int]:
    return int(done.faces["answer"].ne(done.faces["label"]).sum()), len(done.faces)


def _marked(done: Examined) -> list[tuple[str, str, Any]]:
    if "marked" not in done.tables:
        return []
    said = done.tables["marked faces"]
    false = said[said["answer"] == classes.NAMES[0]].sort_values("sure", ascending=False).head(WALL)
    captions = [f"{row.kind} {100 * row.sure:.0f} %" for row in false.itertuples()]
    text = "Bare faces with something that looks like a mask, marked by people: how many are called masked (Wilson)."
    return [("Look-alikes", text, [done.tables["marked"], plots.sheet(_cut(false), captions, side=SIDE, columns=6)])]


def _parts(done: Examined) -> "dict[str, pd.DataFrame]":
    """The faces that pictures are shown of: the worst errors, some right answers, the largest missed ones."""
    faces = done.faces
    right = faces[faces["answer"] == faces["label"]]
    missed = faces[faces["reached"] == MISSED].sort_values("side", ascending=False)
    return {
        "wrong": worst(faces, done.probabilities, count=WALL),
        "right": right.sample(min(GLOW, len(right)), random_state=0),
        "missed": missed.head(WALL),
    }


def _wall(part: "pd.DataFrame", *, answers: bool) -> np.ndarray:
    """A contact sheet of faces with what is true, what was answered and where, rimmed in the colour of the truth."""
    crops = _cut(part)
    shapes = zip(part["label"], part["answer"], part["sure"], part["side"], part["image"], strict=True)
    captions = [
        f"{SHORT[label]}: {SHORT[answer]} {100 * sure:.0f} % {Path(image).stem}" if answers
        else f"{SHORT[label]}, {side:.0f} px {Path(image).stem}"
        for label, answer, sure, side, image in shapes
    ]  # fmt: skip
    return plots.sheet(crops, captions, side=SIDE, columns=6, colours=[classes.COLOURS[name] for name in part["label"]])


def _cut(part: "pd.DataFrame", *, margin: float = 0.25, size: int = SIDE) -> list[np.ndarray]:
    rows = zip(part["image"], part[BOX].to_numpy(float), strict=True)
    return [boxes.crop(images.read(image), box, margin=margin, size=size) for image, box in rows]


def _glow(path: Path, parts: "Mapping[str, pd.DataFrame]") -> list[tuple[str, str, Any]]:
    """Where the network looks, on wrong and on right cases; nothing without TensorFlow or a Keras file."""
    card = json.loads(path.read_text(encoding="utf-8"))
    keras = path.with_name(card["files"].get("keras", {}).get("file", f"{path.stem}.keras"))
    if importlib.util.find_spec("tensorflow") is None or not keras.is_file():
        return []
    network, pictures = model.load(keras), []
    for key in ("wrong", "right"):
        crops = _cut(parts[key].head(GLOW), margin=float(card["margin"]), size=int(card["input_size"]))
        if crops:
            glowing = list(attention(network, np.stack(crops)))
            pictures.append(plots.sheet(glowing, [key] * len(crops), side=SIDE, columns=6))
    text = "Grad-CAM of the float network: a glow is what speaks for its answer. First wrong, then right cases."
    return [("Where it looks", text, pictures)]
