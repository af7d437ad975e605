"""A person's own photos: remembered where they lie, never copied or changed."""

import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from .. import batch, classes, images
from ..manifest import Manifest
from ..workspace import Workspace
from .limits import FORGOTTEN, Limits

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["take_in"]

# Kinds of photos that people have and that are not read here: to be named, not passed over.
_FOREIGN = {
    ".heic": "HEIC", ".heif": "HEIC", ".jxl": "JPEG XL", ".jp2": "JPEG 2000", ".psd": "Photoshop", ".dng": "raw",
    ".cr2": "raw", ".cr3": "raw", ".nef": "raw", ".arw": "raw", ".orf": "raw", ".rw2": "raw", ".raf": "raw",
}  # fmt: skip
_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1")  # as bytes 8 to 12 of a file have it
_LOOKED_FOR = images.SUFFIXES | set(_FOREIGN)
_COLUMNS = ["image", "sha256", "file", "label", "width", "height", "bytes", "new"]


def take_in(
    folder: str | Path,
    *,
    into: Workspace,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", list[dict[str, Any]]]:
    """Remember the photos of a folder (and below), or of a zip file: (table of images, skipped files with reason).

    Files of a folder stay where they lie. Those of a zip are unpacked into the workspace, named by content. label is
    the class that the nearest folder inside is named after ("with_mask", "no mask", …), else ''; as in
    `labels.read_folder`, the name of `folder` itself promises nothing. Taking a folder in twice adds only what is new,
    and finds photos again that were renamed; what a person wished forgotten is skipped. Raises FileNotFoundError for a
    folder that is not there, ValueError for one without photos. Photos of a kind that is not read here (HEIC, raw) are
    skipped by name; a picture that lies in folders of two classes counts for neither, and is named in skipped.
    """
    folder = Path(folder)
    zipped = folder.is_file() and zipfile.is_zipfile(folder)
    if folder.is_file() and not zipped:
        raise ValueError(f"folder: {folder} is a file, neither a folder of photos nor a zip of them")
    photos = _members(folder) if zipped else [_Photo(p, folder) for p in images.find(folder, suffixes=_LOOKED_FOR)]
    foreign = [{"item": str(p), "reason": _foreign(_FOREIGN[p.suffix])} for p in photos if p.suffix in _FOREIGN]
    items = [p for p in photos if p.suffix not in _FOREIGN]
    if not items:
        kinds = ", ".join(sorted(images.SUFFIXES))
        why = f"; {len(foreign)} are there, but {foreign[0]['reason']}" if foreign else ""
        raise ValueError(f"folder: no photos in {folder}; looked for {kinds} in it and in the folders below{why}")
    with into.manifest() as manifest:
        gone = frozenset(manifest.read("forgotten")["key"])
    look = _Unpack(into.raw, gone) if zipped else _Look(gone)
    found, skipped = batch.run(look, items, executor=executor, progress=progress)
    skipped += foreign
    table = _remember(found, skipped, into)
    return table, skipped + _undecided(found, into)


@dataclass(frozen=True)
class _Photo:
    """One file and the folder (or the name inside a zip) that it was found under."""

    path: Path
    root: Path
    member: str = ""

    def __str__(self) -> str:
        shown = f"{self.path}!{self.member}" if self.member else str(self.path)
        return os.fsencode(shown).decode("utf-8", "replace")

    @property
    def suffix(self) -> str:
        return Path(self.member or self.path).suffix.lower()

    @property
    def label(self) -> str:
        inside = Path(self.member).parts if self.member else self.path.relative_to(self.root).parts
        for part in reversed(inside[:-1]):
            try:
                return classes.canonical(part)
            except ValueError:
                continue
        return ""

    @property
    def url(self) -> str:
        return self.path.resolve().as_uri() + (f"#{self.member}" if self.member else "")


@dataclass(frozen=True)
class _Look:
    """Hash a file and see that it can be read to its end."""

    gone: frozenset[str]

    def __call__(self, photo: _Photo) -> dict[str, Any]:
        if not str(photo.path).isprintable() and any("\ud800" <= c <= "\udfff" for c in str(photo.path)):
            raise batch.Skip("its name is not written in UTF-8; give it another name and take the folder in again")
        content = photo.path.read_bytes()
        sha256 = _wanted(photo, content, self.gone)
        w, h = images.size(photo.path)
        return {"photo": photo, "sha256": sha256, "path": photo.path, "width": w, "height": h, "bytes": len(content)}


def _wanted(photo: _Photo, content: bytes, gone: frozenset[str]) -> str:
    """SHA-256 of a readable image that nobody wished forgotten."""
    sha256 = images.sha256(content)
    if sha256 in gone or photo.url in gone:
        raise batch.Skip(FORGOTTEN)
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF:
        raise batch.Skip(_foreign("HEIC"))
    images.read(content, max_side=64)
    return sha256


def _foreign(kind: str) -> str:
    how = " (on an iPhone: Settings, Camera, Formats, Most Compatible)" if kind == "HEIC" else ""
    return f"{kind} files are not read here; save it as JPEG{how} and take the folder in again"


@dataclass(frozen=True)
class _Unpack:
    """Write one member of a zip into the raw folder, under its content's name."""

    raw: Path
    gone: frozenset[str]

    def __call__(self, photo: _Photo) -> dict[str, Any]:
        cap = Limits().bytes
        try:
            with zipfile.ZipFile(photo.path) as archive, archive.open(photo.member) as file:
                content = file.read(cap + 1)
        except zipfile.BadZipFile as trouble:
            reason = "the checksum is wrong" if "CRC" in str(trouble) else str(trouble)
            raise batch.Skip(f"damaged in the zip file ({reason})") from None
        except NotImplementedError:  # what zipfile raises for a compression or an encryption that it lacks
            raise batch.Skip("packed in a way not known here; unpack the zip file and give the folder") from None
        except RuntimeError:
            raise batch.Skip("encrypted; unpack the zip file and give the folder") from None
        except (zlib.error, lzma.LZMAError, EOFError) as trouble:
            raise batch.Skip(f"damaged in the zip file ({trouble or 'it ends too early'})") from None
        if len(content) > cap:
            raise batch.Skip(f"larger than {cap / 1e6:g} MB")
        sha256 = _wanted(photo, content, self.gone)
        path = self.raw / sha256[:2] / (sha256 + Path(photo.member).suffix.lower())
        if not path.is_file():
            images.write(path, content)
        w, h = images.size(path)
        return {"photo": photo, "sha256": sha256, "path": path, "width": w, "height": h, "bytes": len(content)}


def _members(archive: Path) -> list[_Photo]:
    with zipfile.ZipFile(archive) as opened:
        names = [i.filename for i in opened.infolist() if not i.is_dir()]
    wanted = (n for n in names if Path(n).suffix.lower() in _LOOKED_FOR and not n.startswith("__MACOSX/"))
    return [_Photo(archive, archive, name) for name in wanted]


def _remember(found: list[dict[str, Any]], skipped: list[dict[str, Any]], into: Workspace) -> "pd.DataFrame":
    import pandas as pd

    rows = []
    with into.manifest() as manifest, manifest.together():
        for row in found:
            photo, sha256, size = row["photo"], row["sha256"], {k: row[k] for k in ("bytes", "width", "height")}
            new = manifest.add_image(sha256, row["path"], **size)
            seen = manifest.add_source(sha256, photo.url, page=photo.root.resolve().as_uri(), engine="folder",
                                       label=photo.label)  # fmt: skip
            if seen:
                manifest.add_attempt(photo.url, "downloaded" if new else "known", engine="folder")
            else:
                manifest.promise(sha256, photo.url, photo.label, engine="folder")
            file = str(manifest.holds(sha256))
            rows.append({"image": file, "sha256": sha256, "file": str(photo), "label": photo.label, **size, "new": new})
        lost = set(manifest.standing("replaced")["sha256"])
        for row in (row for row in found if row["sha256"] in lost):  # the same bytes lie elsewhere
            manifest.add_image(row["sha256"], row["path"], **{k: row[k] for k in ("bytes", "width", "height")})
        _withdraw(found, manifest)
        for row in skipped:
            outcome = "refused" if row["reason"] == FORGOTTEN else "unreadable"
            manifest.add_attempt(Path(row["item"]).resolve().as_uri(), outcome, engine="folder",
                                 reason=row["reason"])  # fmt: skip
    return pd.DataFrame(rows, columns=_COLUMNS)


def _withdraw(found: list[dict[str, Any]], manifest: Manifest) -> None:
    """Let places where an image lay before, and does not now, promise nothing: it was moved to another class."""
    now = {row["photo"].url: row["sha256"] for row in found}
    homes = {row["photo"].root.resolve() for row in found}
    sources = manifest.read("sources")
    for root in homes:
        before = sources[sources["engine"].eq("folder") & sources["page"].eq(root.as_uri()) & sources["label"].ne("")]
        for row in before.itertuples():
            there = now.get(row.url)
            if there != row.sha256 and (there is not None or root.is_file() or not _is_there(row.url)):
                manifest.promise(row.sha256, row.url, "", engine="folder")


def _is_there(url: str) -> bool:
    from urllib.request import url2pathname

    return Path(url2pathname(urlsplit(url).path)).is_file()


def _undecided(found: list[dict[str, Any]], into: Workspace) -> list[dict[str, Any]]:
    """A row for each picture just taken in whose places promise different classes."""
    with into.manifest() as manifest:
        sources = manifest.read("sources")
    photos = {row["sha256"]: str(row["photo"]) for row in found}
    said = sources[sources["sha256"].isin(photos) & sources["label"].ne("")]
    rows = []
    for sha256, part in said.groupby("sha256", sort=False):
        promised = dict(zip(part["label"], part["url"], strict=True))
        if len(promised) > 1:
            told = " and ".join(f"{label} ({unquote(url).rpartition('/')[2]})" for label, url in promised.items())
            rows.append({"item": photos[sha256], "reason": f"the same picture is said to be {told}; it counts for no "
                         "class until it lies in one folder alone"})  # fmt: skip
    return rows
