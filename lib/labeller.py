"""Labelling in the notebook: a photo with its boxes to correct, and a wall of crops to check at a glance.

Both are anywidgets with one plain JavaScript file each. Pictures travel as JPEG bytes in messages, never in the
widget's state, so that kernels on other machines work and no photo is saved in the notebook by accident.
"""

import logging
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import traitlets

from . import boxes, classes, images, labels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CropWall", "Labeller"]

log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"
_CORNERS = ("x1", "y1", "x2", "y2")
_OURS = ("origin", "source", "group", "parent", "split", "score", "answer", "doubt", "framing")
_KEPT = (*_OURS, "pose", "truncated", "difficult")
_SENT = (*_CORNERS, "label", *_KEPT)  # what the browser is told of a face and gives back


def _palette() -> list[dict[str, str]]:
    """Names, words, colours and keys of the classes for the browser, which knows none of its own."""
    return [
        {"name": name, "word": classes.WORDS[name], "colour": _hex(name), "key": str(i)}
        for i, name in enumerate(classes.NAMES, start=1)
    ]


def _hex(name: str) -> str:
    r, g, b = classes.COLOURS[name]
    return f"#{r:02x}{g:02x}{b:02x}"


class Labeller(anywidget.AnyWidget):
    """A photo with its boxes: draw, move, resize, delete, class by key; every change is saved as Pascal VOC at once.

    faces: a table of faces (with `doubt`, as `prelabel` gives it, the most doubtful photo comes first). into, root: as
    for `prelabel`. photos: those to go through, by default those of the table; give all to see faceless ones too.
    order: "doubt" or "file". max_side: of the picture that is sent; boxes stay in the photo's own pixels.
    `.table` is the table as it stands now; `.skipped` the photos passed over.
    """

    _esm = _STATIC / "labeller.js"
    _css = _STATIC / "labeller.css"
    classes: Any = traitlets.List().tag(sync=True)
    count = traitlets.Int(0).tag(sync=True)
    done = traitlets.Int(0).tag(sync=True)
    at = traitlets.Int(0).tag(sync=True)
    height_px = traitlets.Int(520).tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        faces: "pd.DataFrame",
        *,
        into: str | Path,
        root: str | Path | None = None,
        photos: list[str | Path] | None = None,
        order: str = "doubt",
        max_side: int = 2048,
        **options: Any,
    ) -> None:
        if order not in ("doubt", "file"):
            raise ValueError(f"order: must be 'doubt' or 'file', got {order!r}")
        self._book, self._max_side = labels.Book(faces, into, root=root), max_side
        self.queue = _queue(faces, photos, doubtful=order == "doubt")
        self._judged = {photo for photo in self.queue if self._book.judged(photo)}
        self._pens: dict[str, tuple[Any, str]] = {}  # photo: the page that wrote last, and the state it left
        self.skipped: list[str] = []
        first = next((i for i, photo in enumerate(self.queue) if photo not in self._judged), 0)
        state = dict(classes=_palette(), count=len(self.queue), done=len(self._judged), at=first)
        super().__init__(**state, **options)
        self.on_msg(self._answer)

    @property
    def table(self) -> "pd.DataFrame":
        """All faces as they stand, in the order of the table that was given."""
        return self._book.table()

    def _answer(self, _: Any, message: dict[str, Any], __: list) -> None:
        """One message of the browser: open a photo, save its boxes, or pass it over. Trouble goes back as `error`."""
        number = message.get("at")
        if not isinstance(number, int) or not 0 <= number < len(self.queue):
            return
        try:
            {"open": self._open, "save": self._save, "skip": self._skip}[message["type"]](number, message)
        except (images.UnreadableImage, ValueError, OSError, KeyError, TypeError) as trouble:
            reason = _reason(trouble)
            log.warning("labeller: %s", reason)
            self.send({**_to(message), "type": "error", "reason": reason})
            self.error = reason

    def _open(self, number: int, message: dict[str, Any]) -> None:
        photo = self.queue[number]
        w, h = images.size(photo)
        faces = [{name: _plain(row.get(name)) for name in _SENT} for row in self._book.rows(photo)]
        about = dict(name=Path(photo).name, width=w, height=h, faces=faces, judged=photo in self._judged)
        picture = []
        if message.get("picture", True):
            picture = [images.encode(images.read(photo, max_side=self._max_side), ".jpg", quality=88)]
        self.send({**_to(message), "type": "photo", "state": self._book.state(photo), **about}, picture)

    def _save(self, number: int, message: dict[str, Any]) -> None:
        photo, final = self.queue[number], bool(message.get("final"))
        state, page = self._book.state(photo), message.get("page")
        if state != message.get("state", state) and self._pens.get(photo) != (page, state):
            return self._open(number, {**message, "picture": False})  # somebody else wrote: his word is shown first
        rows = [{name: face[name] for name in _SENT if face.get(name) is not None} for face in message["faces"]]
        if final:  # a person looked at every box and let it stand
            rows = [{**row, "origin": "manual" if row.get("origin") != "artificial" else "artificial"} for row in rows]
        looked_at = photo in self._judged or self._book.verified(photo)
        self._book.write(photo, rows, verified=final or looked_at)
        if final:
            self._judged.add(photo)
        state = self._book.state(photo)
        self._pens[photo] = page, state
        self.done, self.error = len(self._judged), ""
        self.send({**_to(message), "type": "saved", "state": state, "judged": photo in self._judged})

    def _skip(self, number: int, _: dict[str, Any]) -> None:
        if self.queue[number] not in self.skipped:
            self.skipped.append(self.queue[number])


def _to(message: dict[str, Any]) -> dict[str, Any]:
    """What an answer repeats, so that of several pages on one kernel the right one takes it."""
    return {name: message.get(name) for name in ("at", "ticket", "page")}


def _reason(trouble: Exception) -> str:
    if isinstance(trouble, OSError) and trouble.strerror:
        return f"{trouble.strerror}: {trouble.filename}" if trouble.filename else trouble.strerror
    return str(trouble) or type(trouble).__name__


def _queue(faces: "pd.DataFrame", photos: list[str | Path] | None, *, doubtful: bool) -> list[str]:
    """Photos in the order of labelling: as given, or by their most doubtful face."""
    given = list(dict.fromkeys(map(str, photos if photos is not None else faces["image"])))
    if not doubtful or "doubt" not in faces or not len(faces):
        return given
    worst = faces.groupby("image")["doubt"].max().fillna(-1.0).to_dict()
    return sorted(given, key=lambda photo: -worst.get(photo, -1.0))


def _plain(value: Any) -> Any:
    """A value that JSON can hold: NaN becomes None."""
    return None if value is None or value != value else value


class CropWall(anywidget.AnyWidget):
    """A wall of face crops by class, the doubtful first; a click or a key flips a label, and the VOC file with it.

    faces, into, root: as for Labeller. margin: share of the box that a crop shows around it on every side. A face stays
    where it is on the page when its label changes; `.table` is the table as it stands now.
    """

    _esm = _STATIC / "wall.js"
    _css = _STATIC / "wall.css"
    classes: Any = traitlets.List().tag(sync=True)
    counts: Any = traitlets.Dict().tag(sync=True)
    changed = traitlets.Int(0).tag(sync=True)
    per_page = traitlets.Int(60).tag(sync=True)
    side_px = traitlets.Int(96).tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        faces: "pd.DataFrame",
        *,
        into: str | Path,
        root: str | Path | None = None,
        margin: float = 0.25,
        **options: Any,
    ) -> None:
        self._book, self._margin = labels.Book(faces, into, root=root), margin
        self._faces = [{**row, "first": row["label"]} for row in labels.table(faces).to_dict("records")]
        self._faces.sort(key=lambda row: -(_plain(row.get("doubt")) or 0.0))
        self._crops: OrderedDict[int, bytes] = OrderedDict()
        super().__init__(classes=_palette(), counts=self._counts(), **options)
        self.on_msg(self._answer)

    @property
    def table(self) -> "pd.DataFrame":
        """All faces as they stand, in the order of the table that was given."""
        return self._book.table()

    def _counts(self) -> dict[str, int]:
        return {name: sum(face["first"] == name for face in self._faces) for name in classes.NAMES}

    def _answer(self, _: Any, message: dict[str, Any], __: list) -> None:
        """One message of the browser: a page of crops, or a face's new label."""
        try:
            {"page": self._page, "flip": self._flip}[message["type"]](message)
        except (images.UnreadableImage, ValueError, OSError, KeyError, TypeError, IndexError) as trouble:
            self.error = _reason(trouble)
            log.warning("wall: %s", self.error)
            self.send({"type": "error", "id": message.get("id"), "reason": self.error, **self._label(message)})

    def _label(self, message: dict[str, Any]) -> dict[str, str]:
        """The label that stands of the face that a message speaks of, where there is one."""
        number = message.get("id")
        if isinstance(number, int) and 0 <= number < len(self._faces):
            return {"label": self._faces[number]["label"]}
        return {}

    def _page(self, message: dict[str, Any]) -> None:
        wanted, page = str(message.get("label", "")), max(0, int(message.get("page", 0)))
        ids = [i for i, face in enumerate(self._faces) if wanted in ("", face["first"])]
        shown = ids[page * self.per_page : (page + 1) * self.per_page]
        crops = self._cut(shown)
        for i in shown:  # what a person said meanwhile, here before or elsewhere
            same = self._same(self._faces[i])
            self._faces[i]["label"] = same["label"] if same else self._faces[i]["label"]
        self._count_changes()
        cells = [{"id": i, **{k: _plain(self._faces[i].get(k)) for k in ("label", "first", "answer", "score", "doubt")}}
                 for i in shown]  # fmt: skip
        for cell, i in zip(cells, shown, strict=True):
            cell["name"] = Path(self._faces[i]["image"]).name
        self.send({"type": "page", "label": wanted, "page": page, "total": len(ids), "cells": cells}, crops)

    def _cut(self, numbers: list[int]) -> list[bytes]:
        """Faces as JPEG, no bytes for one of an unreadable photo; the last two thousand are kept."""
        missing: dict[str, list[int]] = {}
        for i in numbers:
            if i in self._crops:
                self._crops.move_to_end(i)
            else:
                missing.setdefault(self._faces[i]["image"], []).append(i)
        for photo, ids in missing.items():
            try:
                self._crops.update(zip(ids, self._crops_of(photo, ids), strict=True))
            except (images.UnreadableImage, FileNotFoundError):
                self._crops.update(dict.fromkeys(ids, b""))
        crops = [self._crops[i] for i in numbers]
        while len(self._crops) > 2000:
            self._crops.popitem(last=False)
        return crops

    def _crops_of(self, photo: str, numbers: list[int]) -> list[bytes]:
        """Faces of one photo, which is read once, and no larger than the smallest of them needs."""
        xyxy = np.array([[self._faces[i][c] for c in _CORNERS] for i in numbers])
        side, (w, h) = 2 * self.side_px, images.size(photo)
        share = side / (xyxy[:, 2:] - xyxy[:, :2]).max(1).min()
        rgb = images.read(photo, max_side=round(share * max(w, h)) if share < 1 else None)
        found = []
        for i, box in zip(numbers, xyxy * rgb.shape[1] / w, strict=True):
            margin = 0.0 if self._faces[i].get("framing") == "whole" else self._margin
            found.append(images.encode(boxes.crop(rgb, box, margin=margin, size=side), ".jpg", quality=80))
        return found

    def _flip(self, message: dict[str, Any]) -> None:
        face, label = self._faces[int(message["id"])], classes.canonical(message["label"])
        same = self._same(face)
        if same is None:
            raise ValueError(f"{Path(face['image']).name}: this box was moved or deleted meanwhile")
        rows = [
            row | {"label": label, "origin": "manual"} if row is same else row for row in self._book.rows(face["image"])
        ]
        self._book.write(face["image"], rows, verified=self._book.verified(face["image"]))
        face["label"], self.error = label, ""
        self._count_changes()
        self.send({"type": "flipped", "id": message["id"], "label": label})

    def _same(self, face: dict[str, Any]) -> dict[str, Any] | None:
        """The row of a face as its photo has it now; of two in one place the one with its label."""
        rows = [row for row in self._book.rows(face["image"]) if all(row[c] == face[c] for c in _CORNERS)]
        return next((row for row in rows if row["label"] == face["label"]), rows[0] if rows else None)

    def _count_changes(self) -> None:
        self.changed = sum(face["label"] != face["first"] for face in self._faces)
