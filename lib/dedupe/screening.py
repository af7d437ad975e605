"""Bad images, one check a row: nothing is judged that the table does not show."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import batch, images

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["THRESHOLDS", "screen"]

# Careful ones: public crops of faces are small and soft, and more so the bare ones; a stricter rule would skew classes.
THRESHOLDS: dict[str, float] = {
    "tiny": 32,  # shorter side in pixels, below
    "blurred": 15,  # sharpness, below
    "dark": 35,  # mean grey, below
    "light": 235,  # mean grey, above
    "flat": 12,  # spread of grey, below
    "odd aspect": 3,  # longer side / shorter side, above
    "no face": 1,  # faces found, below
}
_ABOVE = {"light", "odd aspect"}


def screen(
    fingerprints: "pd.DataFrame",
    *,
    skipped: Iterable[Mapping[str, Any]] = (),
    find: Callable[[np.ndarray], Any] | None = None,
    thresholds: Mapping[str, float] | None = None,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> "pd.DataFrame":
    """Check images for what makes them useless: a row an image and check, with score, threshold and whether it is bad.

    skipped: the files that `fingerprints` could not read, as check "unreadable". find: a face finder (rgb → faces with
    a length); without it "no face" is not checked. thresholds: others than THRESHOLDS, by check. Columns: image,
    sha256, check, score, threshold, bad, reason.
    """
    import pandas as pd

    limits = THRESHOLDS | dict(thresholds or {})
    if unknown := set(limits) - set(THRESHOLDS):
        raise ValueError(f"thresholds: no check {sorted(unknown)}; there are {', '.join(THRESHOLDS)}")
    scores = _scores(fingerprints)
    if find is not None:
        counted, lost = batch.run(_Count(find), fingerprints["image"], executor=executor, progress=progress)
        lost_files = {row["item"] for row in lost}
        read = [i for i, file in enumerate(fingerprints["image"]) if str(file) not in lost_files]
        scores["no face"] = np.full(len(fingerprints), np.nan)
        scores["no face"][read] = counted
    parts = [_judge(fingerprints, check, values, limits[check]) for check, values in scores.items()]
    parts.append(_unreadable(skipped))
    return pd.concat([p for p in parts if len(p)], ignore_index=True) if any(map(len, parts)) else parts[-1]


def _scores(table: "pd.DataFrame") -> dict[str, np.ndarray]:
    w, h = table["width"].to_numpy(float), table["height"].to_numpy(float)
    return {
        "tiny": np.minimum(w, h),
        "blurred": table["sharpness"].to_numpy(float),
        "dark": table["brightness"].to_numpy(float),
        "light": table["brightness"].to_numpy(float),
        "flat": table["contrast"].to_numpy(float),
        "odd aspect": np.maximum(w, h) / np.maximum(np.minimum(w, h), 1),
    }


def _judge(table: "pd.DataFrame", check: str, score: np.ndarray, threshold: float) -> "pd.DataFrame":
    bad = score > threshold if check in _ABOVE else score < threshold
    sign = ">" if check in _ABOVE else "<"
    reason = [f"{check}: {s:.3g} {sign} {threshold:g}" if b else "" for s, b in zip(score, bad, strict=True)]
    return table[["image", "sha256"]].assign(check=check, score=score, threshold=threshold, bad=bad, reason=reason)


def _unreadable(skipped: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    columns = ["image", "sha256", "check", "score", "threshold", "bad", "reason"]
    rows = [(r["item"], "", "unreadable", 0.0, 1.0, True, f"unreadable: {r['reason']}") for r in skipped]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class _Count:
    """How many faces a finder sees in a file."""

    find: Callable[[np.ndarray], Any]

    def __call__(self, file: str) -> int:
        return len(self.find(images.read(file, max_side=1024)))
