"""From bare photos to masked ones on disk: picture, labels, pixel mask, and the parent in the manifest."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import batch, classes, images, manifest, workspace
from .draw import Masked, put_on
from .shapes import WEARS
from .styles import STYLES
from .styles import find as find_style

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv

__all__ = ["HOW", "generate"]

HOW = "mask"  # how the manifest calls these derivations
WEAR_SHARES = {  # the rest is well worn; among 96 real ones: nose out 45, below the mouth 33, pushed up 9, others few
    "nose_out": 0.2, "under_chin": 0.1, "mouth_out": 0.04, "pushed_up": 0.02, "chin_out": 0.01, "loose": 0.01,
    "hanging": 0.01, "upside_down": 0.01,
}  # fmt: skip
_SCARF_WEARS = ("with_mask", "nose_out", "mouth_out", "under_chin")
_TABLE = "image x1 y1 x2 y2 label source origin group parent split score style wear".split()


@dataclass(frozen=True)
class _Job:
    """Everything that a worker needs; picklable as long as its callables are."""

    home: Path
    ledger: Path
    find: Callable[[np.ndarray], "sv.Detections"]
    locate: Callable[[np.ndarray, np.ndarray], np.ndarray]
    refuse: Callable[[np.ndarray, np.ndarray], str | None] | None
    write_labels: Callable[..., Any]
    per_face: int
    styles: tuple[str, ...]
    wears: tuple[str, ...]
    seed: int
    scarf_as: str
    done: dict[str, list[dict[str, Any]]]

    def __call__(self, photo: str) -> dict[str, Any]:
        parent = images.sha256(photo)
        ready = self._ready(parent)
        if ready is not None:
            return ready
        rgb = images.read(photo)
        found = self.find(rgb)
        points = self.locate(rgb, found.xyxy)
        reasons = [self._reason(p, b) for p, b in zip(points, found.xyxy, strict=True)]
        faces = [i for i, reason in enumerate(reasons) if reason is None]
        refused = [
            {"item": photo, "reason": reason, "box": found.xyxy[i].tolist()}
            for i, reason in enumerate(reasons)
            if reason
        ]
        if not faces:
            raise batch.Skip("no face is found" if not len(found) else f"no face can be masked: {reasons[0]}")
        rows: list[dict[str, Any]] = []
        with manifest.Manifest(self.ledger) as book:
            for face in faces:
                for copy in range(self.per_face):
                    note = {"of": len(faces) * self.per_face, "wishes": self._wishes(), "refused": refused}
                    rows += self._one(book, rgb, parent, found, points, face=face, copy=copy, note=note)
        return {"rows": rows, "refused": refused}

    def _reason(self, points: np.ndarray, box: np.ndarray) -> str | None:
        if self.refuse is not None:
            return self.refuse(points, box)
        return None if np.isfinite(points).all() else "the landmarks do not settle"

    def _ready(self, parent: str) -> dict[str, Any] | None:
        """The rows of a photo that an earlier run finished with the same wishes, or None."""
        known = [d for d in self.done.get(parent, []) if d["wishes"] == self._wishes()]
        if not known or len(known) < known[0]["of"] or not all((self.home / d["file"]).is_file() for d in known):
            return None
        return {
            "rows": [self._row(d["file"], face) for d in known for face in d["faces"]],
            "refused": known[0].get("refused", []),
        }

    def _wishes(self) -> str:
        own = [images.sha256(s)[:12] for s in self.styles if s not in STYLES]  # a picture may have changed
        return " ".join([f"{self.per_face} {self.seed}", *map(",".join, (self.styles, self.wears, own)), self.scarf_as])

    def _one(
        self,
        book: manifest.Manifest,
        rgb: np.ndarray,
        parent: str,
        found: "sv.Detections",
        points: np.ndarray,
        *,
        face: int,
        copy: int,
        note: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Draw one mask, write its three files (the photo last), then name its parent in the manifest."""
        rng = np.random.default_rng([self.seed, int(parent[:12], 16), face, copy])
        style, wear = _drawn(self.styles, self.wears, rng)
        made = put_on(rgb, points[face], style=style, wear=wear, scarf_as=self.scarf_as, rng=rng)
        style = made.style
        name = f"{parent[:16]}-{face}{copy}-{style}-{wear}-{self.seed}"
        faces = [
            {"box": box.tolist(), "label": made.label if i == face else "without_mask", "masked": i == face}
            | {"parent": parent, "style": style if i == face else "", "wear": wear if i == face else ""}
            for i, box in enumerate(found.xyxy.round(2))
        ]
        rows = [self._row(f"{name}.jpg", f) for f in faces]
        h, w = rgb.shape[:2]
        self.write_labels(self.home / f"{name}.xml", _framed(rows), size=(w, h))
        images.write(self.home / f"{name}.png", made.mask)
        data = images.encode(made.rgb, ".jpg")
        child = images.sha256(data)
        images.write(self.home / f"{name}.jpg", data)
        parameters = _told(made, points[face]) | {"file": f"{name}.jpg"} | note
        book.derive(child, parent, HOW, parameters=parameters | {"faces": faces}, seed=self.seed)
        book.add_image(child, self.home / f"{name}.jpg", bytes=len(data), width=w, height=h)
        return rows

    def _row(self, file: str, face: dict[str, Any]) -> dict[str, Any]:
        x1, y1, x2, y2 = face["box"]
        row: dict[str, Any] = {"image": str(self.home / file), "x1": x1, "y1": y1, "x2": x2, "y2": y2}
        row |= {"label": face["label"], "source": "masks", "origin": "artificial" if face["masked"] else "auto"}
        row |= {"group": "", "parent": face["parent"], "split": "", "score": np.nan}
        return row | {"style": face["style"], "wear": face["wear"]}


def generate(
    photos: Iterable[str | Path],
    *,
    into: workspace.Workspace,
    find: Callable[[np.ndarray], "sv.Detections"],
    locate: Callable[[np.ndarray, np.ndarray], np.ndarray],
    write_labels: Callable[..., Any],
    refuse: Callable[[np.ndarray, np.ndarray], str | None] | None = None,
    per_face: int = 1,
    styles: Sequence[str] | None = None,
    wears: Sequence[str] | None = None,
    scarf_as: str = "without_mask",
    seed: int = 0,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", list[dict[str, Any]]]:
    """Mask every usable face of bare photos, one face a picture: (table of all their faces, skipped).

    Written to `into.masked`: NAME.jpg, NAME.xml by write_labels(path, table, size=(w, h)), NAME.png (the pixel mask);
    the manifest names the parent, style, wear, landmarks and seed. The photos stay as they are; what an earlier run
    made with the same wishes is taken over. refuse: (points, box) → why a face cannot be masked, or None; such faces
    are rows of skipped, with their box. styles (names or paths of transparent PNGs), wears: None draws all by their
    shares. scarf_as: the class that a scarf over mouth and nose counts as. Same seed, same bytes.
    """
    styles, wears = tuple(styles or STYLES), tuple(wears or WEARS)
    _check(styles, wears, per_face, scarf_as)
    into.masked.mkdir(parents=True, exist_ok=True)
    with into.manifest() as book:
        done = _finished(book)
    how = (find, locate, refuse, write_labels, per_face, styles, wears, seed, scarf_as, done)
    job = _Job(into.masked, into.root / "manifest.sqlite", *how)
    made, skipped = batch.run(job, [str(p) for p in photos], executor=executor, progress=progress)
    skipped += [refused for one in made for refused in one["refused"]]
    return _framed([row for one in made for row in one["rows"]]), skipped


def _check(styles: tuple[str, ...], wears: tuple[str, ...], per_face: int, scarf_as: str) -> None:
    for style in styles:
        find_style(style)
    wrong = [wear for wear in wears if wear not in WEARS]
    if wrong:
        raise ValueError(f"wears: unknown {wrong[0]!r}; known are {', '.join(WEARS)}")
    if scarf_as not in classes.NAMES:
        raise ValueError(f"scarf_as: must be one of {', '.join(classes.NAMES)}, got {scarf_as!r}")
    if per_face < 1:
        raise ValueError(f"per_face: must be at least 1, got {per_face}")


def _finished(book: manifest.Manifest) -> dict[str, list[dict[str, Any]]]:
    import json

    derived = book.read("derivations")
    done: dict[str, list[dict[str, Any]]] = {}
    for parent, parameters in derived.loc[derived["how"] == HOW, ["parent", "parameters"]].itertuples(index=False):
        done.setdefault(parent, []).append(json.loads(parameters))
    return done


def _drawn(styles: tuple[str, ...], wears: tuple[str, ...], rng: np.random.Generator) -> tuple[str, str]:
    """A style and a way of wearing by chance, in their usual shares."""
    style_shares = np.array([find_style(name).share for name in styles])
    rest = 1 - sum(WEAR_SHARES.values())
    wear_shares = np.array([WEAR_SHARES.get(name, rest) for name in wears])
    style = styles[rng.choice(len(styles), p=style_shares / style_shares.sum())]
    wear = wears[rng.choice(len(wears), p=wear_shares / wear_shares.sum())]
    if find_style(style).scarf and wear not in _SCARF_WEARS and "with_mask" in wears:
        wear = "with_mask"  # no scarf hangs from one ear
    return style, wear


def _told(made: Masked, points: np.ndarray) -> dict[str, Any]:
    polygon = made.polygon.round(1).tolist()
    told = {"style": made.style, "wear": made.wear, "label": made.label, "polygon": polygon}
    return told | {"points": points.round(1).tolist()} | made.parameters


def _framed(rows: list[dict[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows, columns=_TABLE)
