"""One folder for what the notebooks make of one set of photos: `data/sample/`, or `data/NAME/` for a person's own."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import files
from .manifest import Manifest

__all__ = ["Workspace", "for_photos"]


@dataclass(frozen=True)
class Workspace:
    """Where each step puts what it makes; every path is below `root`."""

    root: Path

    def __init__(self, root: str | Path) -> None:
        object.__setattr__(self, "root", Path(root))

    @property
    def raw(self) -> Path:
        """Downloaded files, named by content hash; never changed."""
        return self.root / "raw"

    @property
    def masked(self) -> Path:
        """Photos with artificial masks, their VOC files and pixel masks."""
        return self.root / "masked"

    @property
    def labels(self) -> Path:
        """Pascal VOC files of the raw photos, one a photo."""
        return self.root / "labels"

    @property
    def faces(self) -> Path:
        """The table of faces."""
        return self.root / "faces.parquet"

    @property
    def splits(self) -> Path:
        """Saved splits."""
        return self.root / "splits"

    @property
    def models(self) -> Path:
        """Models trained here; those that ship lie elsewhere and stay untouched."""
        return self.root / "models"

    @property
    def out(self) -> Path:
        """Annotated pictures and clips, snapshots, the report."""
        return self.root / "out"

    def manifest(self) -> Manifest:
        """The provenance of this workspace, opened."""
        return Manifest(self.root / "manifest.sqlite")

    def note(self, step: str, **figures: Any) -> dict[str, Any]:
        """Keep a step's figures for the summary at the end of `make run`; returns them."""
        summary = self.summary()
        summary[step] = figures
        files.write(self.root / "summary.json", json.dumps(summary, indent=1, default=_plain))
        return figures

    def summary(self) -> dict[str, Any]:
        """What all steps noted so far."""
        path = self.root / "summary.json"
        return json.loads(path.read_text()) if path.is_file() else {}


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def for_photos(folder: str | Path, *, data: str | Path = "data") -> Workspace:
    """The workspace of a person's folder of photos: below data, by the folder's name and a hash of its full path."""
    folder = Path(folder).resolve()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-.") or "photos"
    return Workspace(Path(data) / f"{name}-{files.sha256(str(folder).encode())[:6]}")
