"""Take an image out of a workspace for good, at a person's wish: the file, all that was made of it, and its rows.

Found are: files by name, hash and looks; labels; rows of tables, splits and lists; caches and pages that do not say
whose they are. What cannot be undone, such as what a model learnt, is said in a remark.
What stays is its hash and its addresses, so that no later crawl brings it back. This is the only thing here that
deletes; a person's own photo, which lies where he put it, loses its rows only.
"""

import contextlib
import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .. import assets, files
from ..manifest import Manifest
from ..workspace import Workspace
from .lists import Names, named_in_split, without
from .search import GONE, LEFT, ROWS, Search, homes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GONE", "LEFT", "Plan", "carry_out", "forget", "plan", "plans", "readmit", "resume"]

log = logging.getLogger(__name__)

_HASH = re.compile(r"[0-9a-f]{8,64}")
_FILMS = (".mp4", ".mkv", ".avi", ".mov", ".webm")
_COLUMNS = ["file", "what", "fate", "done"]


class _Unknown(ValueError):
    """No image of that name is here."""


@dataclass(frozen=True)
class Plan:
    """What a take-down is about to do: the images (SHA-256), the keys to remember, and a row a file.

    rows: (file, what it is, its fate: delete, drop its rows, or leave). remarks: what is not done, and should be known.
    ends: what tables and lists call the images besides hash and path.
    """

    work: Workspace
    images: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    rows: tuple[tuple[str, str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


def plan(what: str | Path, *, work: Workspace, copies: bool = False) -> Plan:
    """Find all that a take-down would remove; touches nothing.

    what: the address of an image (or of a page that shows one), a SHA-256 or at least its first 8 digits, or a file,
    which is looked up by its content. copies: near-copies that dedupe found go too. An address or a full hash that was
    never here is remembered all the same. Raises ValueError for what is none of these or could mean several images.
    """
    with work.manifest() as book:
        search = Search(work, book)
        wanted, keys = _meant(str(what), search)
        near = [copy for sha256 in wanted for copy in search.copies(sha256) if copy not in wanted]
        wanted = search.children([*wanted, *(near if copies else [])])
        keys += [k for s in wanted if not search.derived["child"].eq(s).any() for k in _keys(s, search)]
        names = search.everything(wanted)
    rows = tuple((file, *told) for file, told in search.rows.items())
    remarks = _remarks(work, rows, names, [] if copies else near)
    return Plan(work, tuple(wanted), tuple(dict.fromkeys(keys)), rows, tuple(remarks), tuple(sorted(names.ends)))


def _meant(what: str, search: Search) -> tuple[list[str], list[str]]:
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


def _keys(sha256: str, search: Search) -> list[str]:
    return [sha256, *search.sources["url"][search.sources["sha256"].eq(sha256)]]


def _remarks(work: Workspace, rows: tuple[tuple[str, str, str], ...], names: Names, near: list[str]) -> list[str]:
    told = []
    if near:
        named = ", ".join(n[:12] for n in near)
        told.append(f"{len(near)} near-copies stay, which copies (--copies) would take out too: {named}")
    if any(fate == LEFT for _, _, fate in rows):
        told.append("what is yours, or lies outside the workspace, is left where it is")
    if not rows:
        return told
    told += _learnt(work, names)
    films = [p.name for p in (work.out.rglob("*") if work.out.is_dir() else ()) if p.suffix.lower() in _FILMS]
    if films:
        told.append(f"clips are not looked into: watch {', '.join(sorted(films)[:5])} in out/ and delete what shows it")
    told.append(
        "copies, exports and labels that you wrote elsewhere, backups, and notebooks that you ran by hand (clear their "
        "outputs) are not seen: look there yourself"
    )
    return told


def _learnt(work: Workspace, names: Names) -> list[str]:
    """A sentence for each model, here or among those that ship, whose split names one of the images."""
    shipped = assets.models()
    cards = {path: _split_of(path) for path in (*work.models.glob("*.json"), *shipped.glob("*.json"))}
    found = [p for p in work.root.rglob("*.json") if p.parent != work.out] + sorted(shipped.glob("*-split.json"))
    told = []
    for path in found:
        digest, sides = named_in_split(path, names)
        models = [str(card.with_suffix("")) for card, split in cards.items() if digest and split == digest]
        if "train" in sides:
            told.append(
                f"{' and '.join(models) or 'a model'} learnt from it ({path.name} lists it under train) and cannot "
                f"unlearn: delete what was trained on that split and train anew without it (notebook 04)"
            )
        elif sides:
            told.append(
                f"{' and '.join(models) or 'a model'} was measured on it ({path.name}, {sides[0]}), not trained"
            )
    return told


def _split_of(card: Path) -> str:
    """The hash of the split that a model's card names, or ''."""
    try:
        return str(json.loads(card.read_text(encoding="utf-8"))["split"]["sha256"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


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
        note = {**todo, "names": names, "images": list(wish.images), "ends": list(wish.ends)}
        number = book.forget(wish.images, wish.keys, files=note)
        failed = _finish(book, number, wish.work)
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
        return sum(bool(_finish(book, number, work)) for number in book.unfinished())


def readmit(what: str, *, work: Workspace) -> int:
    """Let a forgotten address, hash or file, and what was forgotten with it, come in again; how many keys these are.

    What an earlier run left undone is done first, so that it does not take out later what comes in again.
    """
    resume(work)
    what = files.sha256(what) if Path(what).is_file() else what
    with work.manifest() as book:
        return book.readmit(what) or book.readmit(what.lower())


def _finish(book: Manifest, number: int, work: Workspace) -> set[str]:
    """Remove the files of one take-down; those that would not go, by name."""
    root = work.root.resolve()
    todo, failed = book.unfinished()[number], set()
    for name in _ours(todo[GONE], work):
        try:
            (root / name).unlink(missing_ok=True)
            _tidy((root / name).parent, root)
        except OSError:
            failed.add(name)
    names = Names.of(todo["images"], (root / name for name in todo["names"]), todo.get("ends", ()))
    for name in _ours(todo[ROWS], work):
        try:
            without(root / name, names)
        except (OSError, ValueError):
            failed.add(name)
    if not failed:
        book.finish(number)
    return failed


def _ours(names: Sequence[str], work: Workspace) -> Iterator[str]:
    """The files of a note that lie in the workspace: a note may be old, or of another machine."""
    for name in names:
        if any((work.root / name).parent.resolve().is_relative_to(home) for home in homes(work)):
            yield name
        else:
            log.warning("%s lies outside the workspace and is left where it is", name)


def _tidy(folder: Path, root: Path) -> None:
    """Remove a folder of raw's that has become empty."""
    if folder.parent.name == "raw" and folder.parent.parent == root:
        with contextlib.suppress(OSError):  # not empty, or gone already
            folder.rmdir()


def _shown(file: str, root: Path) -> str:
    """A file by its place below root; the last part is not followed where it is a link."""
    path = Path(file).parent.resolve() / Path(file).name
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _table(rows: list[tuple]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows, columns=_COLUMNS)
