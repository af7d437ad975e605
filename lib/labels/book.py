"""The faces of photos that a person goes through, and their VOC files: each change is on disk at once."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import images
from .columns import table
from .problems import FormatError
from .voc import read_voc, voc_path, write_voc
from .whose import owner

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Book"]

log = logging.getLogger(__name__)


class Book:
    """The faces of some photos, in memory and as VOC files below a folder; every change is on disk at once."""

    def __init__(self, faces: "pd.DataFrame", into: str | Path, *, root: str | Path | None = None) -> None:
        self.into, self.root = Path(into), root
        self._rows = {str(k): g.to_dict("records") for k, g in table(faces).groupby("image", sort=False)}
        self._seen: dict[str, str] = {}  # photo: the state in which we last read or wrote its file
        self._first: dict[Path, str] = {}  # label file: the photo that it belongs to
        for photo in self._rows:
            self._first.setdefault(self.path(photo), photo)
        self.columns = list(faces.columns)

    def path(self, photo: str) -> Path:
        """Where the VOC file of a photo is or will be."""
        return voc_path(photo, self.into, root=self.root)

    def _other(self, photo: str) -> str:
        """The photo whose label file this one would share (a.jpg, for a.png), or ''."""
        first = self._first.setdefault(self.path(photo), photo)
        return first if first != photo else ""

    def state(self, photo: str) -> str:
        """What tells one state of a photo's file from the next; '' while no person has said anything in it."""
        path = self.path(photo)
        return _stamp(path) if owner(path) == "manual" else ""

    def rows(self, photo: str) -> list[dict[str, Any]]:
        """The faces of a photo; what a person said on disk meanwhile (in labelImg, in the other widget) counts.

        Of a file with bad objects these are the good ones; of one that cannot be read at all, those known before.
        """
        path = self.path(photo)
        stamp = _stamp(path)
        if stamp != self._seen.get(photo) and owner(path) == "manual" and not self._other(photo):
            try:
                said = read_voc(path, image=photo, whole=False)
                self._rows[photo] = said.to_dict("records")
                for problem in said.attrs["problems"]:
                    log.warning("label on disk left aside: %s", problem)
            except FormatError as trouble:
                log.warning("labels on disk left aside: %s", trouble)
        self._seen[photo] = stamp
        return self._rows.get(photo, [])

    def judged(self, photo: str) -> bool:
        """Whether a person answered for all of a photo: he said so, or no box is left that is only the machine's."""
        if owner(self.path(photo)) != "manual" or self._other(photo) or self._trouble(photo):
            return False
        return self.verified(photo) or all(row["origin"] != "auto" for row in self.rows(photo))

    def verified(self, photo: str) -> bool:
        """Whether a photo's file says that a person looked at it."""
        try:
            return bool(read_voc(self.path(photo)).attrs["verified"])
        except (FormatError, FileNotFoundError):
            return False

    def _trouble(self, photo: str) -> str:
        """What keeps a photo's file from being read whole, or ''."""
        try:
            read_voc(self.path(photo), image=photo)
        except FileNotFoundError:
            return ""
        except FormatError as trouble:
            return f"line {trouble.line}: {trouble.reason}" if trouble.line else trouble.reason
        return ""

    def write(self, photo: str, rows: list[dict[str, Any]], *, verified: bool) -> None:
        """Keep a photo's faces. Raises OSError where the file cannot be written.

        Raises ValueError for a face that is none, where the file is another photo's, and where a person's file cannot
        be read whole: writing would lose what we do not understand of it.
        """
        if other := self._other(photo):
            name = self.path(photo).name
            raise ValueError(f"{name} holds the labels of {Path(other).name}; rename one of the two photos")
        if owner(self.path(photo)) == "manual" and (trouble := self._trouble(photo)):
            name = self.path(photo).name
            raise ValueError(f"{name} is yours and cannot be read whole ({trouble}); mend it or move it away first")
        source = next((r["source"] for r in self._rows.get(photo, []) if r.get("source")), "")
        faces = table([{**row, "image": photo, "source": row.get("source") or source} for row in rows])
        path = self.path(photo)
        write_voc(path, faces, size=images.size(photo), image=photo, verified=verified)
        self._rows[photo] = faces.to_dict("records")
        self._seen[photo] = _stamp(path)

    def table(self) -> "pd.DataFrame":
        """All faces as they stand, in the order of the table that was given."""
        found = table([row for photo in list(self._rows) for row in self.rows(photo)])
        return table(found.reindex(columns=list(dict.fromkeys([*self.columns, *found.columns]))))


def _stamp(path: Path) -> str:
    """Time and number of a file, which change whenever it is written; '' where there is none."""
    try:
        about = path.stat()
    except OSError:
        return ""
    return f"{about.st_mtime_ns}-{about.st_ino}"
