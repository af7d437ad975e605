"""One model, one folder of labelled photos, everything that can be said of them: what `lib evaluate` does."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets, classes, detect
from .answers import THRESHOLD, answers_on_boxes
from .curves import curves, precisions
from .detection import pair, score, three
from .intervals import bootstrap, share
from .kinds import false_masks, marked
from .looking import Progress, Seen, labelled, look
from .measures import MISSED, ece, reliability, slices
from .traits import SIDES, band, bands

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Examined", "by_size", "examine", "learnt", "learnt_words"]

SCORES = (
    "A face counts as found where the finder's own score reaches the limit it serves with; AP50 ranks answers by the "
    f"finder's score times the probability of the class, from a finder's score of {THRESHOLD:g} up (HOG: all it gives)."
)


@dataclass(frozen=True)
class Examined:
    """What came out: figures in plain types, notes in words, and the faces and tables behind them.

    faces: a row a labelled face of at least min_side pixels, with its traits, answer (on its own box) and reached, what
    the whole detector answers ("missed" where it found none); probabilities (n, 3) are the rows' own.
    """

    figures: dict[str, Any]
    notes: list[str]
    faces: "pd.DataFrame"
    probabilities: np.ndarray
    tables: dict[str, "pd.DataFrame"]


def examine(
    data: str | Path,
    *,
    model: str | Path = "full",
    finder: str | None = None,
    min_side: float = 20,
    marks: str | Path | None = None,
    corrections: str | Path | None = None,
    pose: bool = True,
    progress: Progress | None = None,
) -> Examined:
    """Measure a model on a folder of photos with Pascal VOC files, of class folders, or of both.

    finder: another face finder than the card names. min_side: smaller faces (pixels of the shorter side) count neither
    way. marks: a CSV of look-alikes, as `marked` reads it. corrections: labels to correct first, which figures that are
    to be compared with others' must not. Raises ValueError where nothing is labelled, AssetMissing.
    """
    data, card = Path(data), assets.model(model)
    classify = detect.Classifier.load(card)
    find, doubt = _finders(classify.card, finder)
    roots = (data, data.absolute().parent)
    listed = None if marks is None else marked(marks, roots=roots, find=find)  # first: a bad list costs no long run
    table, notes = labelled(data, find, corrections=corrections, progress=progress)
    seen = look(table, classify, find=find, doubt=doubt, pose=pose, progress=progress)
    if not len(seen.faces):
        raise ValueError(f"{data}: none of its labelled photos could be read")
    notes += learnt_words(card, seen.faces["image"])
    notes += [f"Left out {row['item']}: {row['reason']}." for row in seen.skipped]
    kept, probabilities, judged, tables = _judged(seen, min_side, find.min_score)
    head = {"model": classify.card.get("name", card.stem), "data": data.resolve().name, "finder": repr(find)}
    figures = {**head, "min_side": min_side, "score": SCORES, **judged}
    if listed is not None:
        there, missing = listed
        learnt, words = _learnt(card, there["image"], what="marked look-alikes")
        tables["marked"], tables["marked faces"] = false_masks(there.assign(learnt=learnt), classify, progress=progress)
        figures["marked"] = tables["marked"].to_dict(orient="records")
        notes += [f"{len(missing)} of the marked photos are not there, such as {missing[0]}."] if missing else []
        notes += words
    return Examined({**figures, "notes": notes}, notes, kept, probabilities, tables)


def _finders(card: dict[str, Any], name: str | None) -> tuple[Any, Any]:
    """The finder as it serves, and one that gives doubtful faces too."""
    find = detect.finder(**({"name": name} if name else dict(card.get("finder") or {})))
    if find.name == "hog":
        return find, find
    return find, detect.finder(find.name, min_score=THRESHOLD, max_side=find.max_side)


def learnt(card: Path, photos: "pd.Series") -> "pd.Series":
    """The side ("train", "validation") on which the model's list of its own (NAME-split.json) has each photo, or "".

    Raises FileNotFoundError where there is no such list.
    """
    sides = json.loads(card.with_name(f"{card.stem}-split.json").read_text(encoding="utf-8")).get("images", {})
    side = {name: side for side, names in sides.items() for name in names}
    tails = photos.map(lambda p: [Path(*Path(p).absolute().parts[-k:]).as_posix() for k in (1, 2, 3, 4)])
    return tails.map(lambda names: next((side[name] for name in names if name in side), ""))


def learnt_words(card: Path, photos: "pd.Series") -> list[str]:
    """What is to be said where photos are no test of a model, for it learnt from some of them."""
    return _learnt(card, photos)[1]


def _learnt(card: Path, photos: "pd.Series", *, what: str = "photos") -> tuple["pd.Series", list[str]]:
    """Which photos the model's list of its own has, and a word on them."""
    try:
        known = learnt(card, photos)
    except FileNotFoundError:
        name = f"{card.stem}-split.json"
        return photos.map(lambda _: False), [
            f"Whether the model learnt from these {what} is not known: no {name} lies beside its card."
        ]
    counts = known[known.ne("") & ~photos.duplicated()].value_counts()
    said = ", ".join(f"{count} in {name}" for name, count in counts.items())
    word = f"Some of these {what} made the model ({said}): on them its figures are no test."
    return known.ne(""), [word] if said else []


def _judged(
    seen: Seen, min_side: float, limit: float
) -> tuple["pd.DataFrame", np.ndarray, dict[str, Any], dict[str, Any]]:
    """(faces that count, their probabilities, figures, tables)."""
    table, boxed = seen.faces, answers_on_boxes(seen.faces, seen.probabilities)
    how: dict[str, Any] = {"min_side": min_side, "threshold": limit}
    kept, probabilities = _kept(seen, how)
    units = kept["image"].tolist()
    tables = {
        "three": three(table, boxed=boxed, found=seen.found, **how),
        "face recall": by_size(seen.faces, seen.found, limit),
        "reliability": reliability(kept["label"].tolist(), probabilities),
        "slices": _slices(kept),
    }
    figures: dict[str, Any] = {
        "three": tables["three"].to_dict(orient="records"),
        "labelled_boxes": score(table, boxed, min_side=min_side, on_boxes=True),
        "detected": score(table, seen.found, **how),
        "average_precision": precisions(table, seen.doubtful, min_side=min_side),
        "face_recall_by_size": tables["face recall"].to_dict(orient="records"),
        "ece": ece(kept["label"].tolist(), probabilities),
        "ece_95": _ece_interval(kept["label"].to_numpy(), probabilities, units),
        "reliability": tables["reliability"].to_dict(orient="records"),
        "curves": curves(kept["label"].tolist(), probabilities, units=units),
        "slices": tables["slices"].to_dict(orient="records"),
    }
    figures["detected"] = {k: v for k, v in figures["detected"].items() if "ap50" not in k}  # of confident faces only
    return kept, probabilities, figures, tables


def _kept(seen: Seen, how: dict[str, Any]) -> tuple["pd.DataFrame", np.ndarray]:
    """The faces that are large enough, with answer, sure and reached, and their probabilities."""
    paired, _ = pair(seen.faces.assign(row=np.arange(len(seen.faces))), seen.found, **how)
    probabilities = seen.probabilities[paired["row"].to_numpy(int)]
    answers = np.array(classes.NAMES, object)[probabilities.argmax(1)]
    paired = paired.rename(columns={"answer": "reached"}).drop(columns=["row", "score"])
    return paired.assign(answer=answers, sure=probabilities.max(1)), probabilities


def by_size(faces: "pd.DataFrame", answers: dict[str, list[list[Any]]], limit: float) -> "pd.DataFrame":
    """How many of the faces of each `side` are found, whatever is answered: size, faces, recall, low, high."""
    import pandas as pd

    every, _ = pair(faces, answers, threshold=limit)
    rows = []
    for size, part in every.groupby(band(every["side"], SIDES), observed=True):
        found = part["answer"].ne(MISSED).to_numpy()

        def recall(weights: np.ndarray, found: np.ndarray = found) -> float | None:
            return float((found * weights).sum() / weights.sum()) if weights.sum() else None

        low, high = bootstrap(recall, part["image"].tolist()) or (None, None)
        if low == high:  # all found, or one photo: nothing to draw from
            low, high = share(int(found.sum()), len(found))[1:]
        rows.append((str(size), len(part), float(found.mean()), low, high))
    return pd.DataFrame(rows, columns=["side, px", "faces", "recall", "low", "high"])


def _ece_interval(labels: np.ndarray, probabilities: np.ndarray, units: list[str]) -> list[float] | None:
    def drawn(weights: np.ndarray) -> float | None:
        rows = np.repeat(np.arange(len(labels)), weights.astype(int))
        return ece(labels[rows].tolist(), probabilities[rows]) if len(rows) else None

    return bootstrap(drawn, units, resamples=200)


def _slices(kept: "pd.DataFrame") -> "pd.DataFrame":
    """Slices on the labelled boxes and end to end, side by side, with intervals over photos."""
    cuts = bands(kept)
    boxed = slices(kept, cuts, units="image")
    reached = slices(kept.assign(answer=kept["reached"]), cuts, units="image")
    both = boxed.rename(columns={"balanced_accuracy": "labelled_boxes"})
    ends = reached[["balanced_accuracy", "low", "high"]].set_axis(["missed_is_error", "from", "to"], axis=1)
    return both.join(ends)
