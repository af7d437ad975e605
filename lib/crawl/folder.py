"""A person's own photos: remembered where they lie, never copied or changed."""

import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import batch, classes, images
from ..workspace import Workspace
from .limits import FORGOTTEN, Limits

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["take_in"]

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
    folder that is not there, ValueError for one without photos.
    """
    folder = Path(folder)
    zipped = folder.is_file() and zipfile.is_zipfile(folder)
    if folder.is_file() and not zipped:
        raise ValueError(f"folder: {folder} is a file, neither a folder of photos nor a zip of them")
    items = _members(folder) if zipped else [_Photo(p, folder) for p in images.find(folder)]
    if not items:
        kinds = ", ".join(sorted(images.SUFFIXES))
        raise ValueError(f"folder: no photos in {folder}; looked for {kinds} in it and in the folders below")
    with into.manifest() as manifest:
        gone = frozenset(manifest.read("forgotten")["key"])
    look = _Unpack(into.raw, gone) if zipped else _Look(gone)
    found, skipped = batch.run(look, items, executor=executor, progress=progress)
    return _remember(found, skipped, into), skipped


@dataclass(frozen=True)
class _Photo:
    """One file and the folder (or the name inside a zip) that it was found under."""

    path: Path
    root: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}!{self.member}" if self.member else str(self.path)

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
        content = photo.path.read_bytes()
        sha256 = _wanted(photo, content, self.gone)
        w, h = images.size(photo.path)
        return {"photo": photo, "sha256": sha256, "path": photo.path, "width": w, "height": h, "bytes": len(content)}


def _wanted(photo: _Photo, content: bytes, gone: frozenset[str]) -> str:
    """SHA-256 of a readable image that nobody wished forgotten."""
    sha256 = images.sha256(content)
    if sha256 in gone or photo.url in gone:
        raise batch.Skip(FORGOTTEN)
    images.read(content, max_side=64)
    return sha256


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
        except NotImplementedError:
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
    wanted = (n for n in names if Path(n).suffix.lower() in images.SUFFIXES and not n.startswith("__MACOSX/"))
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
            file = str(manifest.holds(sha256))
            rows.append({"image": file, "sha256": sha256, "file": str(photo), "label": photo.label, **size, "new": new})
        for row in skipped:
            outcome = "refused" if row["reason"] == FORGOTTEN else "unreadable"
            manifest.add_attempt(Path(row["item"]).resolve().as_uri(), outcome, engine="folder",
                                 reason=row["reason"])  # fmt: skip
    return pd.DataFrame(rows, columns=_COLUMNS)
