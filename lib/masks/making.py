"""From bare photos to masked ones on disk: picture, labels, pixel mask, and the parent in the manifest."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import batch, images, manifest, workspace
from .choice import Choice
from .draw import Masked
from .scene import Outside

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv

__all__ = ["HOW", "generate"]

HOW = "mask"  # how the manifest calls these derivations
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
    choice: Choice
    per_face: int
    seed: int
    done: dict[str, list[dict[str, Any]]]
    drawn: frozenset[str]

    def __call__(self, photo: str) -> dict[str, Any]:
        """Make all pictures of one photo: {"rows", "refused"}. Raises batch.Skip where none can be made."""
        parent = images.sha256(photo)
        if parent in self.drawn:
            raise batch.Skip("the picture was drawn by an earlier run: its face is not bare")
        ready = self._ready(parent)
        if ready is not None:
            return {"rows": ready[0], "refused": [{"item": photo} | why for why in ready[1]]}
        rgb = images.read(photo)
        found = self.find(rgb)
        if not len(found):
            raise batch.Skip("no face is found")
        points = self.locate(rgb, found.xyxy)
        refused: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        with manifest.Manifest(self.ledger) as book:
            for (face, copy, made), last in _ends(self._made(rgb, parent, points, found.xyxy, refused)):
                end = {"refused": refused} if last else {}  # tells that the photo is done
                told = _told(made, points[face]) | {"wishes": self._wishes()} | end
                rows += self._write(book, made, found.xyxy, parent=parent, which=(face, copy), told=told)
        if not rows:
            raise batch.Skip(f"no face can be masked: {refused[0]['reason']}")
        return {"rows": rows, "refused": [{"item": photo} | why for why in refused]}

    def _made(
        self, rgb: np.ndarray, parent: str, points: np.ndarray, xyxy: np.ndarray, refused: list[dict[str, Any]]
    ) -> Iterator[tuple[int, int, Masked]]:
        """One picture after another: (face, copy, picture); what cannot be made goes to refused, with its reason."""
        for face, (at, box) in enumerate(zip(points, xyxy, strict=True)):
            reason = self._reason(at, box)
            for copy in range(self.per_face if reason is None else 0):
                try:
                    rng = np.random.default_rng([self.seed, int(parent[:12], 16), face, copy])
                    yield face, copy, self.choice.drawn(rgb, at, rng)
                except Outside as trouble:
                    reason = str(trouble)
            if reason:
                refused.append({"reason": reason, "box": box.tolist()})

    def _reason(self, points: np.ndarray, box: np.ndarray) -> str | None:
        if self.refuse is not None:
            return self.refuse(points, box)
        return None if np.isfinite(points).all() else "the landmarks do not settle"

    def _ready(self, parent: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]] | None:
        """(rows, refused) of a photo that an earlier run finished with the same wishes, or None."""
        known = [d for d in self.done.get(parent, []) if d["wishes"] == self._wishes()]
        ends = [d["refused"] for d in known if "refused" in d]
        if not ends or not all((self.home / d["file"]).is_file() for d in known):
            return None
        return [self._row(d["file"], face) for d in known for face in d["faces"]], ends[0]

    def _wishes(self) -> str:
        return f"{self.per_face} {self.seed} {self.choice}"

    def _write(
        self,
        book: manifest.Manifest,
        made: Masked,
        xyxy: np.ndarray,
        *,
        parent: str,
        which: tuple[int, int],
        told: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Write a picture's three files (the photo last), then name its parent in the manifest: rows of its faces."""
        face, copy = which
        name = f"{parent[:16]}-{face}{copy}-{made.style}-{made.wear or 'lookalike'}-{self.seed}"
        faces = [
            {"box": box.tolist(), "label": made.label if i == face else "without_mask", "masked": i == face}
            | {"parent": parent, "style": made.style if i == face else "", "wear": made.wear if i == face else ""}
            for i, box in enumerate(xyxy.round(2))
        ]
        rows = [self._row(f"{name}.jpg", f) for f in faces]
        h, w = made.rgb.shape[:2]
        self.write_labels(self.home / f"{name}.xml", _framed(rows), size=(w, h))
        images.write(self.home / f"{name}.png", made.mask)
        data = images.encode(made.rgb, ".jpg")
        child = images.sha256(data)
        images.write(self.home / f"{name}.jpg", data)
        parameters = told | {"file": f"{name}.jpg", "faces": faces}
        book.derive(child, parent, HOW, parameters=parameters, seed=self.seed)
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
    lookalikes: float | Sequence[str] = 0.0,
    seed: int = 0,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", list[dict[str, Any]]]:
    """Mask every usable face of bare photos, one face a picture: (table of all their faces, skipped).

    Written to `into.masked`: NAME.jpg, NAME.xml by write_labels(path, table, size=(w, h)), NAME.png (the pixel mask);
    the manifest names the parent, style, wear, landmarks and seed. The photos stay as they are; what an earlier run
    made with the same wishes is taken over, and is never itself a photo to draw on. refuse: (points, box) → why a face
    cannot be masked, or None; such faces are rows of skipped, with their box. styles (names or paths of transparent
    PNGs), wears: None draws all by their shares. scarf_as: the class that a scarf over mouth and nose counts as.
    lookalikes: the share of pictures that get a look-alike in place of a mask, or names of `LOOKALIKES`: then all do;
    such a face is without_mask, its style the kind. With a share, some masks are seen together with one (`together`).
    Same seed, same bytes.
    """
    if per_face < 1:
        raise ValueError(f"per_face: must be at least 1, got {per_face}")
    choice = Choice.of(styles, wears, scarf_as=scarf_as, lookalikes=lookalikes)
    into.masked.mkdir(parents=True, exist_ok=True)
    with into.manifest() as book:
        done, drawn = _finished(book)
    ledger, home = into.root / "manifest.sqlite", into.masked.resolve()
    job = _Job(into.masked, ledger, find, locate, refuse, write_labels, choice, per_face, seed, done, drawn)
    bare = [str(p) for p in photos if not Path(p).resolve().is_relative_to(home)]
    made, skipped = batch.run(job, bare, executor=executor, progress=progress)
    skipped += [refused for one in made for refused in one["refused"]]
    return _framed([row for one in made for row in one["rows"]]), skipped


def _finished(book: manifest.Manifest) -> tuple[dict[str, list[dict[str, Any]]], frozenset[str]]:
    """What earlier runs told of each parent's pictures, and the SHA-256 of all these pictures."""
    import json

    derived = book.read("derivations")
    derived = derived[derived["how"] == HOW]
    done: dict[str, list[dict[str, Any]]] = {}
    for parent, parameters in derived[["parent", "parameters"]].itertuples(index=False):
        done.setdefault(parent, []).append(json.loads(parameters))
    return done, frozenset(derived["child"])


def _ends(items: Iterator[Any]) -> Iterator[tuple[Any, bool]]:
    """Each item, and whether it is the last one."""
    before = next(items, None)
    while before is not None:
        now = next(items, None)
        yield before, now is None
        before = now


def _told(made: Masked, points: np.ndarray) -> dict[str, Any]:
    polygon = made.polygon.round(1).tolist()
    told = {"style": made.style, "wear": made.wear, "label": made.label, "polygon": polygon}
    return told | {"points": points.round(1).tolist()} | made.parameters


def _framed(rows: list[dict[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows, columns=_TABLE)
