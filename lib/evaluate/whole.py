"""A detector that finds and names faces in one look, on labelled photos: end to end, for it is asked of no crops."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets, batch, classes, detect, images
from .answers import THRESHOLD
from .curves import precisions
from .detection import file_names, score, three
from .examining import by_size, learnt_words
from .looking import Progress, labelled, rows_by_face

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["end_to_end", "end_to_end_words"]

Answers = dict[str, list[list[Any]]]
SCORES = (
    "A face counts as found where its face score reaches the card's limit; AP50 ranks answers by the face score times "
    f"the probability of the class, from a face score of {THRESHOLD:g} up."
)


def end_to_end(
    data: str | Path,
    *,
    detector: str | Path = "one-look",
    tiles: int = 1,
    min_side: float = 20,
    corrections: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a one-look model on labelled photos: found faces, missed ones as errors, AP50, recall by size, times.

    detector: a shipped model's name or the path of a card. tiles, min_side, corrections: as for `detect.OneLook` and
    `examine`. The figures are plain, with the notes in "notes". Raises ValueError where nothing is labelled or the
    card is none of one look, AssetMissing.
    """
    data, card = Path(data), assets.model(detector)
    look = detect.OneLook.load(card, min_score=THRESHOLD, tiles=tiles)
    limit = float(look.card.get("min_score", 0.3))
    table, notes = labelled(data, detect.OneLook.load(card), corrections=corrections, progress=progress)
    names = dict(zip(table["image"], file_names(table["image"]), strict=True))
    photos, skipped = batch.run(
        lambda photo: (photo, *look.timed(images.read(photo))), sorted(names), progress=progress
    )
    if not photos:
        raise ValueError(f"{data}: none of its labelled photos could be read")
    seen = table[table["image"].isin([photo for photo, *_ in photos])].reset_index(drop=True)
    notes += learnt_words(card, seen["image"]) + [f"Left out {row['item']}: {row['reason']}." for row in skipped]
    found = {names[photo]: [row for row in rows_by_face(said) if row[4] >= limit] for photo, said, _ in photos}
    doubtful = {names[photo]: look.rows(said) for photo, said, _ in photos}
    times = {k: round(1e3 * float(np.median([t[k] for *_, t in photos])), 2) for k in photos[0][2]}
    head = {"model": look.card.get("name", card.stem), "data": data.resolve().name, "tiles": tiles}
    return (
        head | _judged(seen, found, doubtful, min_side=min_side, limit=limit) | {"milliseconds": times, "notes": notes}
    )


def _judged(
    seen: "pd.DataFrame", found: Answers, doubtful: Answers, *, min_side: float, limit: float
) -> dict[str, Any]:
    how: dict[str, Any] = {"min_side": min_side, "threshold": limit}
    detected = score(seen, found, **how)
    xyxy = seen[["x1", "y1", "x2", "y2"]].to_numpy(float)
    sides = seen.assign(side=(xyxy[:, 2:] - xyxy[:, :2]).min(axis=1))
    return {
        "min_side": min_side,
        "score": SCORES,
        "three": three(seen, boxed=None, found=found, **how).to_dict(orient="records"),
        "detected": {k: v for k, v in detected.items() if "ap50" not in k},  # of confident faces only
        "average_precision": precisions(seen, doubtful, min_side=min_side),
        "face_recall_by_size": by_size(sides, found, limit).to_dict(orient="records"),
    }


def end_to_end_words(figures: Mapping[str, Any]) -> str:
    """The figures in a dozen lines for a terminal."""
    found, ranks = figures["detected"], figures["average_precision"]
    lines = [
        f"{figures['model']} on {figures['data']}: {found['faces_total']:,} faces of at least "
        f"{figures['min_side']:g} pixels, {found['photos']:,} photos",
        "",
    ]
    for row in figures["three"]:
        ends = f" ({100 * row['low']:.1f}–{100 * row['high']:.1f})" if row["low"] is not None else ""
        value = "–" if row["balanced_accuracy"] is None else f"{100 * row['balanced_accuracy']:.1f} %"
        lines.append(f"{row['figure']:<16}{value + ends:<24}{row['faces']} faces")
    lines.append("")
    lines += [f"AP50 {name:<19}{_number(ranks['ap50'][name])}" for name in classes.NAMES]
    lines.append(
        f"mAP50 with/without {_number(ranks['map50_with_without'])}, three {_number(ranks['map50_three_classes'])}"
    )
    lines[-1] += f"; faces found {_number(found['face_recall'])}, found rightly {_number(found['face_precision'])}"
    lines.append("milliseconds a photo: " + ", ".join(f"{k} {v:g}" for k, v in figures["milliseconds"].items()))
    return "\n".join([*lines, *figures["notes"]])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
