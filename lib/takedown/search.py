"""Every file of one workspace that belongs to some images."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np

from .. import files, images
from ..batch import Skip
from ..manifest import Manifest
from ..workspace import Workspace
from .lists import SUFFIXES, Names, mentions

__all__ = ["GONE", "LEFT", "ROWS", "Search", "homes"]

GONE, ROWS, LEFT = "delete", "drop its rows", "leave"
# Correlation of grey thumbnails of one shape from which a nameless picture passes for a copy. Of 60 sample photos the
# annotated and the blurred copies had 0.87 and more; other photos at most 0.78, and 400 real photos 0.75.
ALIKE, THUMB, SHAPE = 0.85, 32, 0.03
_COPY_OF = re.compile(r"\bof ([0-9a-f]{12})\b")  # how `dedupe` words its reasons
_KINDS = {".xml": "labels", ".png": "pixel mask"}
# Files that do not say whose faces they hold, as our own steps name them; anybody else's are left alone.
_CROPS = re.compile(r"crops-[0-9a-f]+\.npy")  # dataset.crops
_EXECUTED = re.compile(r"0\d-.+\.(ipynb|html)")  # run.execute


@dataclass
class Search:
    """The files that belong to some images of one workspace: `rows` is file → (what it is, its fate)."""

    work: Workspace
    book: Manifest
    rows: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        work = self.work
        self.homes = homes(work)
        self.sources, self.derived = self.book.read("sources"), self.book.read("derivations")
        self.known = self.book.read("images")
        self.inside = sorted(p for p in work.root.rglob("*") if p.is_file()) if work.root.is_dir() else []
        own = [*self.sources["url"][self.sources["engine"].eq("folder")], *self.book.read("forgotten")["key"]]
        self.own = {path for url in own if (path := _path(url)) is not None}

    def children(self, parents: Iterable[str]) -> list[str]:
        """The images themselves and all that were made of them, by way of others too."""
        found = list(dict.fromkeys(parents))
        for sha256 in found:  # grows while it is walked
            made = self.derived["child"][self.derived["parent"].eq(sha256)]
            found += [child for child in made if child not in found]
        return found

    def copies(self, sha256: str) -> list[str]:
        """Other images that dedupe put into one group with this one."""
        said = self.book.standing("dedupe")
        head = {r.sha256: m[1] for r in said.itertuples() if not r.kept and (m := _COPY_OF.search(r.reason))}
        best = head.get(sha256, sha256[:12])
        group = [s for s in said["sha256"] if s.startswith(best) or head.get(s) == best]
        return [s for s in dict.fromkeys(group) if s != sha256]

    def everything(self, wanted: list[str]) -> Names:
        """Find all that belongs to these images; what they are called in tables and lists."""
        for sha256 in wanted:
            self._files_of(sha256)
        self._same_bytes(set(wanted))
        self._alike(wanted)
        names = Names.of(wanted, self.rows, {end for sha256 in wanted for end in self._ends(sha256)})
        self._copies_by_name(names)
        for path in self.inside:
            if path.suffix in SUFFIXES and str(path) not in self.rows and mentions(path, names):
                self._add(path, "table of faces" if path.suffix == ".parquet" else "list", ROWS)
        if self.rows:
            self._unnamed()
        return names

    def _add(self, path: Path, what: str, fate: str = GONE) -> None:
        if path.is_file() or path.is_symlink():
            inside = any(path.parent.resolve().is_relative_to(home) for home in self.homes)
            self.rows.setdefault(str(path), (what, fate if inside and path.resolve() not in self.own else LEFT))

    def _files_of(self, sha256: str) -> None:
        """Find every file of one image: itself, its masked copies, its labels, and all that bears its hash."""
        path = self.book.holds(sha256)
        made = self.derived["child"].eq(sha256).any()
        raw = path is not None and path.resolve().is_relative_to(self.work.raw.resolve())
        if path is not None and not path.is_file():
            self.rows.setdefault(str(path), ("already gone", LEFT))
        elif path is not None:
            what = "made of it" if made else "image" if raw else "your own photo"
            self._add(path, what, GONE if made or raw else LEFT)
        for text in self.derived["parameters"][self.derived["child"].eq(sha256)]:
            self._named(text)
        for found in self._notes(sha256, path):
            self._add(found, "labels")
        for found in self.inside:
            if sha256[:16] in found.relative_to(self.work.root).as_posix():
                self._add(found, self._kind(found))

    def _kind(self, path: Path) -> str:
        if path.is_relative_to(self.work.raw):
            return "image"
        if path.is_relative_to(self.work.masked):
            return _KINDS.get(path.suffix, "masked copy")
        return "labels" if path.suffix == ".xml" else "copy (annotated, blurred or cut)"

    def _named(self, parameters: str) -> None:
        name = json.loads(parameters).get("file", "")
        if name:
            for suffix in (Path(name).suffix, *_KINDS):
                self._add(self.work.masked / Path(name).with_suffix(suffix), _KINDS.get(suffix, "masked copy"))

    def _notes(self, sha256: str, photo: Path | None) -> Iterator[Path]:
        """VOC files of a photo in the workspace, under the folder it was taken in from, or by its name alone."""
        from ..labels import voc_path

        if photo is None or not self.work.labels.is_dir():
            return
        pages = self.sources["page"][self.sources["sha256"].eq(sha256)]
        for root in {path for page in pages if (path := _path(page)) is not None}:
            yield voc_path(photo, self.work.labels, root=root)
        if sum(Path(file).stem == photo.stem for file in self.known["file"]) == 1:
            yield voc_path(photo, self.work.labels)

    def _ends(self, sha256: str) -> Iterator[str]:
        """Ends of the path of an image that no other image here has: of one part, if so, and of two or more."""
        path = self.book.holds(sha256)
        others = [self.book.file(f).parts for f in self.known["file"][~self.known["sha256"].eq(sha256)]]
        parts = path.parts if path is not None else ()
        alone = [k for k in range(1, len(parts)) if not any(other[-k:] == parts[-k:] for other in others)]
        for k in {*alone[:1], *[k for k in alone if k > 1][:1]}:
            yield "/".join(parts[-k:])

    def _copies_by_name(self, names: Names) -> None:
        """Find pictures in the folder of results that bear a photo's own name, as `detect` and `blur` write them."""
        for path in images.find(self.work.out) if self.work.out.is_dir() else []:
            told = path.relative_to(self.work.out).as_posix()
            if names.mean(told) or (told.endswith(".png") and names.mean(told.removesuffix(".png"))):
                self._add(path, "copy (annotated, blurred or cut)")

    def _same_bytes(self, hashes: set[str]) -> None:
        """Find further files in the workspace that hold the same bytes under another name."""
        sizes = set(self.known["bytes"][self.known["sha256"].isin(hashes)])
        for path in self._unknown():
            if str(path) not in self.rows and path.stat().st_size in sizes and files.sha256(path) in hashes:
                self._add(path, "same bytes")

    def _alike(self, wanted: list[str]) -> None:
        """Find pictures that the manifest does not know and that look like these: snapshots, annotated copies.

        Outside the folder of results it may be another photo of the scene, put there by a person: it is named alone.
        """
        here = [p for sha256 in wanted if (p := self.book.holds(sha256)) is not None and p.is_file()]
        sizes, hashes = set(self.known["bytes"]), set(self.known["sha256"])
        strange = [p for p in self._unknown() if str(p) not in self.rows]
        strange = [p for p in strange if p.stat().st_size not in sizes or files.sha256(p) not in hashes]
        looks = [look for p in here if strange and (look := _look(p)) is not None]
        for path in strange if looks else []:
            look = _look(path)
            if look is not None and any(abs(look[1] - w) < SHAPE and (look[0] * t).sum() > ALIKE for t, w in looks):
                self._add(path, "looks like it", GONE if path.is_relative_to(self.work.out) else LEFT)

    def _unknown(self) -> list[Path]:
        """Pictures of the workspace that are no file of the manifest."""
        files_known = {self.book.file(f).resolve() for f in self.known["file"]}
        found = images.find(self.work.root) if self.work.root.is_dir() else []
        return [p for p in found if p.resolve() not in files_known]

    def _unnamed(self) -> None:
        """Find what does not say whose faces it holds, and is made anew: caches, reports, executed notebooks."""
        for path in self.inside:
            if _CROPS.fullmatch(path.name):
                self._add(path, "cache of crops (made anew when needed)")
            if path.suffix == ".html" and path.parent == self.work.out and path.with_suffix(".json").is_file():
                self._add(path, "page of pictures (made anew by its notebook)")  # as evaluate.report writes them
        for path in sorted(_executed(self.work).glob("*")):
            if _EXECUTED.fullmatch(path.name):
                self._add(path, "page of pictures (made anew by its notebook)")


def homes(work: Workspace) -> list[Path]:
    """The folders, links followed, in and below which a take-down may delete and write; nothing else is touched."""
    return [p.resolve() for p in (work.root, work.raw, work.masked, work.labels, _executed(work))]


def _executed(work: Workspace) -> Path:
    """Where lib.run puts the executed notebooks of a workspace below data/."""
    return work.root.resolve().parent.parent / "build" / "notebooks" / work.root.name


def _look(path: Path) -> tuple[np.ndarray, float] | None:
    """A grey thumbnail of mean 0 and norm 1, and the logarithm of width / height; None for an unreadable file."""
    try:
        rgb = images.read(path, max_side=8 * THUMB)
    except (Skip, OSError):
        return None
    small = cv2.resize(rgb, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(float)
    grey -= grey.mean()
    return grey / max(float(np.linalg.norm(grey)), 1e-9), float(np.log(rgb.shape[1] / rgb.shape[0]))


def _path(url: str) -> Path | None:
    """The file or folder that a file address means, or None."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    from urllib.request import url2pathname

    return Path(url2pathname(parts.path) if parts.path else unquote(parts.path))
