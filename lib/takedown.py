"""Take an image out of a workspace for good, at a person's wish: the file, all that was made of it, and its rows.

What stays is its hash and its addresses, so that no later crawl brings it back. This is the only thing here that
deletes; a person's own photo, which lies where he put it, loses its rows only.
"""

import contextlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from . import files, images
from .manifest import Manifest
from .workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GONE", "LEFT", "Plan", "carry_out", "forget", "plan", "plans", "readmit", "resume"]

_HASH = re.compile(r"[0-9a-f]{8,64}")
_COPY_OF = re.compile(r"\bof ([0-9a-f]{12})\b")  # how `dedupe` words its reasons
_COLUMNS = ["file", "what", "fate", "done"]
GONE, ROWS, LEFT = "delete", "drop its rows", "leave"


class _Unknown(ValueError):
    """No image of that name is here."""


@dataclass(frozen=True)
class Plan:
    """What a take-down is about to do: the images (SHA-256), the keys to remember, and a row a file.

    rows: (file, what it is, its fate: delete, drop its rows, or leave). remarks: what is not done, and should be known.
    """

    work: Workspace
    images: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    rows: tuple[tuple[str, str, str], ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass
class _Search:
    """The files that belong to some images of one workspace."""

    work: Workspace
    book: Manifest
    rows: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        work = self.work
        self.homes = [p.resolve() for p in (work.root, work.raw, work.masked, work.labels)]
        self.sources, self.derived = self.book.read("sources"), self.book.read("derivations")
        self.known = self.book.read("images")
        own = self.sources["url"][self.sources["engine"].eq("folder")]
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

    def add(self, path: Path, what: str, fate: str = GONE) -> None:
        if path.is_file() or path.is_symlink():
            inside = any(path.parent.resolve().is_relative_to(home) for home in self.homes)
            self.rows.setdefault(str(path), (what, fate if inside and path.resolve() not in self.own else LEFT))

    def files_of(self, sha256: str) -> None:
        """Find every file of one image: itself, its masked copies, its labels."""
        path = self.book.holds(sha256)
        made = self.derived["child"].eq(sha256).any()
        raw = path is not None and path.resolve().is_relative_to(self.work.raw.resolve())
        if path is not None and not path.is_file():
            self.rows.setdefault(str(path), ("already gone", LEFT))
        elif path is not None:
            self.add(
                path, "made of it" if made else "image" if raw else "your own photo", GONE if made or raw else LEFT
            )
        for found in (*self.work.raw.glob(f"{sha256}.*"), *self.work.raw.glob(f"{sha256[:2]}/{sha256}.*")):
            self.add(found, "image")
        for found in sorted(self.work.masked.glob(f"{sha256[:16]}-*")):
            self.add(found, _KINDS.get(found.suffix, "masked copy"))
        for text in self.derived["parameters"][self.derived["child"].eq(sha256)]:
            self._named(text)
        for found in (*self._notes(sha256, path), *self.work.labels.rglob(f"{sha256}.xml")):
            self.add(found, "labels")

    def _named(self, parameters: str) -> None:
        import json

        name = json.loads(parameters).get("file", "")
        if name:
            for suffix in (Path(name).suffix, *_KINDS):
                self.add(self.work.masked / Path(name).with_suffix(suffix), _KINDS.get(suffix, "masked copy"))

    def _notes(self, sha256: str, photo: Path | None) -> Iterator[Path]:
        """VOC files of a photo in the workspace, under the folder it was taken in from, or by its name alone."""
        from .labels import voc_path

        if photo is None or not self.work.labels.is_dir():
            return
        pages = self.sources["page"][self.sources["sha256"].eq(sha256)]
        for root in {path for page in pages if (path := _path(page)) is not None}:
            yield voc_path(photo, self.work.labels, root=root)
        if sum(Path(file).stem == photo.stem for file in self.known["file"]) == 1:
            yield voc_path(photo, self.work.labels)

    def same_bytes(self, hashes: set[str]) -> None:
        """Find further files in the workspace that hold the same bytes under another name."""
        sizes = set(self.known["bytes"][self.known["sha256"].isin(hashes)])
        for path in images.find(self.work.root) if sizes and self.work.root.is_dir() else []:
            if str(path) not in self.rows and path.stat().st_size in sizes and files.sha256(path) in hashes:
                self.add(path, "same bytes")

    def tables(self, hashes: set[str]) -> None:
        """Find tables of faces with rows of these images, and caches of crops, which do not say whose they are."""
        import pandas as pd

        for path in sorted(self.work.root.rglob("*.parquet")):
            try:
                table = pd.read_parquet(path)
            except (OSError, ValueError):
                continue
            if _theirs(table, hashes, self.rows).any():
                self.add(path, "table of faces", ROWS)
        for path in sorted(self.work.root.rglob("crops-*.npy")):
            self.add(path, "cache of crops (made anew when needed)")


_KINDS = {".xml": "labels", ".png": "pixel mask"}


def plan(what: str | Path, *, work: Workspace, copies: bool = False) -> Plan:
    """Find all that a take-down would remove; touches nothing.

    what: the address of an image (or of a page that shows one), a SHA-256 or at least its first 8 digits, or a file,
    which is looked up by its content. copies: near-copies that dedupe found go too. An address or a full hash that was
    never here is remembered all the same. Raises ValueError for what is none of these or could mean several images.
    """
    with work.manifest() as book:
        search = _Search(work, book)
        wanted, keys = _meant(str(what), search)
        near = [copy for sha256 in wanted for copy in search.copies(sha256) if copy not in wanted]
        wanted = search.children([*wanted, *(near if copies else [])])
        keys += [k for s in wanted if not search.derived["child"].eq(s).any() for k in _keys(s, search)]
        for sha256 in wanted:
            search.files_of(sha256)
        if wanted:
            search.same_bytes(set(wanted))
            search.tables(set(wanted))
    rows = tuple((file, *told) for file, told in search.rows.items())
    remarks = _remarks(work, rows, [] if copies else near)
    return Plan(work, tuple(wanted), tuple(dict.fromkeys(keys)), rows, tuple(remarks))


def _meant(what: str, search: _Search) -> tuple[list[str], list[str]]:
    """The images that a person means, and the key he named them by."""
    sources = search.sources
    if urlsplit(what).scheme in ("http", "https", "file"):
        found = list(dict.fromkeys(sources["sha256"][sources["url"].eq(what)]))
        paged = list(dict.fromkeys(sources["sha256"][sources["page"].eq(what)]))
        if not found and len(paged) > 1:
            raise ValueError(f"forget: {what} shows {len(paged)} images; name one by its hash: {', '.join(paged[:5])}")
        return found or paged, [] if paged and not found else [what]
    if Path(what).is_file():
        return [files.sha256(what)], []
    text = what.lower()
    if not _HASH.fullmatch(text):
        raise ValueError(f"forget: give an address, a file, or a hash of at least 8 hexadecimal digits; got {what!r}")
    known = sorted(s for s in {*search.known["sha256"], *sources["sha256"]} if s.startswith(text))
    if len(known) > 1:
        raise ValueError(f"forget: {len(known)} images begin with {text}; give more digits: {', '.join(known[:5])}")
    if not known and len(text) < 64:
        raise _Unknown(f"forget: no image begins with {text} in {search.work.root}")
    return known or [text], []


def _keys(sha256: str, search: _Search) -> list[str]:
    return [sha256, *search.sources["url"][search.sources["sha256"].eq(sha256)]]


def _remarks(work: Workspace, rows: tuple[tuple[str, str, str], ...], near: list[str]) -> list[str]:
    told = []
    if near:
        named = ", ".join(n[:12] for n in near)
        told.append(f"{len(near)} near-copies stay, which copies (--copies) would take out too: {named}")
    if any(fate == LEFT for _, _, fate in rows):
        told.append("what is yours, or lies outside the workspace, is left where it is")
    seen = [p.name for p in (work.out, work.models) if p.is_dir() and any(p.iterdir())]
    if rows and seen:
        told.append(
            f"not looked into: {' and '.join(f'{name}/' for name in seen)} (reports, clips, what a model learnt)"
        )
    return told


def plans(what: str | Path, spaces: Sequence[Workspace], *, copies: bool = False) -> list[Plan]:
    """Plan a take-down in several workspaces; those that lack the image remember its hash and addresses all the same.

    Raises ValueError where none of them knows what is meant, or one of them knows several images of that name.
    """
    found: list[Plan | None] = []
    trouble: _Unknown | None = None
    for work in spaces:
        try:
            found.append(plan(what, work=work, copies=copies))
        except _Unknown as said:
            found.append(None)
            trouble = said
    keys = tuple(dict.fromkeys(key for wish in found if wish is not None for key in wish.keys))
    if trouble is not None and not any(found):
        raise trouble
    wishes = zip(spaces, found, strict=True)
    return [Plan(work, keys=keys) if wish is None else replace(wish, keys=keys) for work, wish in wishes]


def carry_out(wish: Plan) -> "pd.DataFrame":
    """Do what a plan says: a row a file with its fate and whether it is done.

    The rows of the manifest go first, in one transaction that also notes the files; so a run that was killed is
    finished by `resume`. A file that cannot be removed now stays noted.
    """
    todo = {fate: [file for file, _, f in wish.rows if f == fate] for fate in (GONE, ROWS)}
    root = wish.work.root.resolve()
    todo = {fate: [_shown(file, root) for file in found] for fate, found in todo.items()}
    names = [_shown(file, root) for file, _, _ in wish.rows]
    with wish.work.manifest() as book:
        number = book.forget(wish.images, wish.keys, files={**todo, "names": names, "images": list(wish.images)})
        failed = _finish(book, number, root)
    told = [(f, w, fate, fate != LEFT and _shown(f, root) not in failed) for f, w, fate in wish.rows]
    return _table(told)


def forget(what: str | Path, *, work: Workspace, copies: bool = False, dry_run: bool = False) -> "pd.DataFrame":
    """Take an image and all that was made of it out of a workspace: a row a file (file, what, fate, done).

    what and copies are as for `plan`; dry_run only lists. What an earlier run left undone is done first.
    """
    if dry_run:
        return _table([(*row, False) for row in plan(what, work=work, copies=copies).rows])
    resume(work)
    return carry_out(plan(what, work=work, copies=copies))


def resume(work: Workspace) -> int:
    """Finish take-downs that were killed or met a file that would not go; how many are still unfinished."""
    with work.manifest() as book:
        return sum(bool(_finish(book, number, work.root.resolve())) for number in book.unfinished())


def readmit(what: str, *, work: Workspace) -> int:
    """Let a forgotten address or hash, and what was forgotten with it, be crawled again; how many keys these are."""
    with work.manifest() as book:
        return book.readmit(what) or book.readmit(what.lower())


def _finish(book: Manifest, number: int, root: Path) -> set[str]:
    """Remove the files of one take-down; those that would not go, by name."""
    todo, failed = book.unfinished()[number], set()
    for name in todo[GONE]:
        try:
            (root / name).unlink(missing_ok=True)
            _tidy((root / name).parent, root)
        except OSError:
            failed.add(name)
    for name in todo[ROWS]:
        try:
            _without(root / name, set(todo["images"]), {str(root / n) for n in todo["names"]})
        except OSError:
            failed.add(name)
    if not failed:
        book.finish(number)
    return failed


def _without(path: Path, hashes: set[str], names: Iterable[str]) -> None:
    """Write a table of faces anew without the rows of these images."""
    import pandas as pd

    if not path.is_file():
        return
    table = pd.read_parquet(path)
    theirs = _theirs(table, hashes, names)
    if theirs.any():
        buffer = io.BytesIO()
        table[~theirs].to_parquet(buffer, index=False)
        files.write(path, buffer.getvalue())


def _theirs(table: "pd.DataFrame", hashes: set[str], names: Iterable[str]) -> Any:
    """Which rows are about these images: by file, by the hash in a file's name, or by parent."""
    import pandas as pd

    paths = {Path(name).resolve() for name in names}
    prefixes = {sha256[:16] for sha256 in hashes}

    def about(image: str) -> bool:
        return Path(image).name[:16] in prefixes or Path(image).resolve() in paths

    found = pd.Series(False, index=table.index)
    if "image" in table:
        unique = table["image"].astype(str).unique()
        found |= table["image"].astype(str).map({image: about(image) for image in unique})
    return found | table["parent"].isin(hashes) if "parent" in table else found


def _tidy(folder: Path, root: Path) -> None:
    """Remove a folder of raw's that has become empty."""
    if folder.parent.name == "raw" and folder.parent.parent == root:
        with contextlib.suppress(OSError):  # not empty, or gone already
            folder.rmdir()


def _shown(file: str, root: Path) -> str:
    """A file by its place below root; the last part is not followed where it is a link."""
    path = Path(file).parent.resolve() / Path(file).name
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _path(url: str) -> Path | None:
    """The file or folder that a file address means, or None."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    from urllib.request import url2pathname

    return Path(url2pathname(parts.path) if parts.path else unquote(parts.path))


def _table(rows: list[tuple]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows, columns=_COLUMNS)
