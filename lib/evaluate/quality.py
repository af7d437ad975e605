"""Labels that are probably wrong, found without trusting a model that has learnt them; a person decides."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets, boxes, classes, dataset, dedupe, faces, images, labels, plots
from .copies import contradictions
from .examining import learnt
from .odd import odd
from .second import features, second_opinion

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KINDS", "Quality", "quality", "quality_sheets"]

# In the order in which they are worth a look.
KINDS = (
    "other class",
    "copies disagree",
    "boxed twice",
    "boxed in one copy",
    "past the edge",
    "whole photo",
    "long box",
    "no face found",
    "tiny box",
)
MARGIN, MIN_SIDE = 0.25, 16
SIZES = {"shipped": 96}  # pixels that a backbone sees; the others were trained on 224, and do well on
SIZE = 160
TWINS, TWIN_BITS = 0.2, 30  # as look-alikes are kept together for training
COLUMNS = ("image", "x1", "y1", "x2", "y2", "label", "kind", "reason", "answer", "score", "doubt")


@dataclass(frozen=True)
class Quality:
    """What was found: a row a finding (a face may have several), all faces with their doubt, and notes in words.

    faces: the table with answer, score and doubt, as `labeller.CropWall` takes it; findings: COLUMNS and `row`, the
    face's place in it, by kind and doubt.
    """

    findings: "pd.DataFrame"
    faces: "pd.DataFrame"
    notes: list[str]

    def figures(self) -> dict[str, Any]:
        """Counts in plain types: photos, faces, findings by kind, denied labels as "label → answer"."""
        other = self.findings[self.findings["kind"] == KINDS[0]]
        denied = (other["label"] + " → " + other["answer"]).value_counts()
        kinds = self.findings["kind"].value_counts()
        return {
            "photos": int(self.faces["image"].nunique()),
            "faces": {name: int((self.faces["label"] == name).sum()) for name in classes.NAMES},
            "judged": int(self.faces["doubt"].notna().sum()),
            "findings": {kind: int(kinds.get(kind, 0)) for kind in KINDS},
            "other class": {str(name): int(count) for name, count in denied.items()},
            "notes": self.notes,
        }


def quality(
    data: "str | Path | pd.DataFrame",
    *,
    min_side: float = MIN_SIDE,
    weights: str | Path | None = None,
    corrections: str | Path | None = None,
    seed: int = 0,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> Quality:
    """Look for errors in the labels of a folder, or of a table of faces: denied by a probe, by a copy, or odd boxes.

    The probe is cross-validated by groups of look-alikes and people, on features of a backbone; smaller faces than
    min_side (pixels) are not asked about. weights: the backbone, by default that of the shipped model where none of the
    photos taught it, else ImageNet's. corrections: a list to apply first (`labels.read_folder`). Needs TensorFlow.
    Where they are of one class, or of one group, nobody is asked. Raises ValueError for a folder without labels.
    """
    table, notes = _read(Path(data), corrections) if isinstance(data, (str, Path)) else (data, [])
    if not len(table):
        nothing = table.assign(answer="", score=np.nan, doubt=np.nan, framing="")
        return Quality(_listed([], nothing), nothing, ["No labels."])
    table = dataset.locate(table, faces.finder(), progress=progress)
    notes += [f"Left out {row['item']}: {row['reason']}." for row in table.attrs.get("skipped", [])]
    prints, _ = dedupe.fingerprints(sorted(set(table["image"])), progress=progress)
    twins = dedupe.groups(prints, max_distance=TWINS, max_bits=TWIN_BITS)
    table = dataset.group(table, twins=twins)
    judged, said = _judged(table, weights, min_side=min_side, seed=seed, progress=progress)
    notes += said
    rows = [
        {"row": int(row), "kind": KINDS[0], "reason": _words(judged.loc[row])}
        for row in np.flatnonzero(judged["denied"])
    ]
    rows += contradictions(table, twins, progress=progress) + odd(table)
    return Quality(_listed(rows, judged), judged.drop(columns="denied"), notes)


def _read(folder: Path, corrections: str | Path | None) -> tuple["pd.DataFrame", list[str]]:
    table, problems = labels.read_folder(folder, clip=False, corrections=corrections)
    if not len(table):
        raise ValueError(f"{folder}: no labels in it; give photos with their labels, or folders named like classes")
    first = f", the first: {problems['file'][0]}: {problems['reason'][0]}" if len(problems) else ""
    return table, [f"{len(problems)} remarks on files of labels{first}."] if len(problems) else []


def _judged(
    table: "pd.DataFrame", weights: str | Path | None, *, min_side: float, seed: int, progress: Any
) -> tuple["pd.DataFrame", list[str]]:
    """The table with answer, score, doubt and denied, told of the faces that are large enough."""
    large = (table[["x2", "y2"]].to_numpy(float) - table[["x1", "y1"]].to_numpy(float)).min(1) >= min_side
    part = table[large & table["label"].isin(classes.NAMES)]
    result = table.assign(answer="", score=np.nan, doubt=np.nan, denied=False)
    if part["label"].nunique() < 2 or part["group"].nunique() < 2:
        return result, ["No second opinion: it takes faces of two classes, and of two people or scenes."]
    source, note = (weights, f"Features: {weights}.") if weights is not None else _backbone(part["image"])
    crops = dataset.crops(part, margin=MARGIN, size=SIZES.get(str(source), SIZE), progress=progress)
    opinion = second_opinion(part, features(crops, weights=source, progress=progress), seed=seed)
    for name in ("answer", "score", "doubt", "denied"):
        result.loc[part.index, name] = opinion[name].to_numpy()
    right = float((opinion["answer"] == opinion["label"]).mean())
    return result, [
        note,
        f"The probe agrees with {right:.1%} of {len(part)} labels (faces of {min_side:g} px and more).",
    ]


def _backbone(photos: "pd.Series") -> tuple[str, str]:
    """The better backbone that has not learnt these labels, and a word on it."""
    known = int(photos[learnt(assets.model("full"), photos).ne("")].nunique())
    if not known:
        return "shipped", "Features: the shipped model's, which learnt from none of these photos."
    if assets.have("mobilenet_v2_1.0", download=True):
        return "imagenet", f"Features: ImageNet's, because the shipped model learnt from {known} of these photos."
    return "shipped", f"Features: the shipped model's, which learnt from {known} of these photos: errors may hide."


def _words(row: "pd.Series") -> str:
    return f"labelled {row['label']}, likelier {row['answer']} ({row['score']:.0%} against {1 - row['doubt']:.0%})"


def _listed(rows: list[dict[str, Any]], judged: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    found = pd.DataFrame(rows, columns=["row", "kind", "reason"]).astype({"row": int})
    told = judged.loc[found["row"], [c for c in COLUMNS if c not in found] + ["framing"]].reset_index(drop=True)
    found = pd.concat([told, found], axis=1)[[*COLUMNS, "framing", "row"]]
    order = found["kind"].map({kind: i for i, kind in enumerate(KINDS)})
    return found.assign(order=order).sort_values(
        ["order", "doubt", "image", "y1", "x1"], ascending=[True, False, True, True, True], ignore_index=True
    ).drop(columns="order")  # fmt: skip


def quality_sheets(
    findings: "pd.DataFrame", *, per_sheet: int = 40, columns: int = 8, side: int = 180, margin: float = 0.5
) -> list[np.ndarray]:
    """The findings as contact sheets, rgb: the face and its surroundings, its box, number, file, what is doubted."""
    sheets = []
    for first in range(0, len(findings), per_sheet):
        part = findings.iloc[first : first + per_sheet]
        cut, captions, colours = [], [], []
        for number, row in zip(range(first, first + len(part)), part.to_dict("records"), strict=True):
            cut.append(_seen(row, margin, side))
            said = f"→ {classes.WORDS[row['answer']]} {row['score']:.0%}" if row["kind"] == KINDS[0] else row["kind"]
            captions.append(f"{number} {Path(row['image']).stem[-22:]} {said}".replace("→", "to"))
            colours.append(classes.COLOURS.get(row["label"], (90, 90, 90)))
        sheets.append(plots.sheet(cut, captions, colours=colours, columns=columns, side=side))
    return sheets


def _seen(row: dict[str, Any], margin: float, side: int) -> np.ndarray:
    """A face with its surroundings; its box is drawn last, so that lines stay thin on a small face."""
    box = np.array([row[c] for c in ("x1", "y1", "x2", "y2")], float)
    margin = 0.0 if row.get("framing") == "whole" else margin
    cut = boxes.crop(images.read(row["image"]), box, margin=margin, size=2 * side)
    if row.get("framing") == "labelled":
        w, h = (box[2:] - box[:2]) * 2 * side / (max(box[2:] - box[:2]) * (1 + 2 * margin))
        inside = np.array([side - w / 2, side - h / 2, side + w / 2, side + h / 2])
        plots.frame(cut, inside, "", classes.COLOURS.get(row["label"], (90, 90, 90)))
    return cut
