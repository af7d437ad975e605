"""The model's boxes for a person to correct; and the two windows for correcting outside the notebook.

A person's word stands: a VOC file that is not wholly the machine's (`labels.owner`) is read, never written.
"""

import ctypes
import importlib.util
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import batch, boxes, classes, files, images, labels
from .pictures import pictures, wall

if TYPE_CHECKING:
    import pandas as pd

    from ..detect import MaskDetector

__all__ = ["NOT_FOUND", "NoWindow", "agreement", "compare", "label_img", "pictures", "prelabel", "roi", "wall"]

log = logging.getLogger(__name__)

NOT_FOUND = "not found"  # the answer to a labelled face that the detector does not see
_SAME = 0.3  # IoU from which a found box speaks of a labelled one; YuNet's boxes of masked faces are short
_QT_NEEDS = {  # shared library: Debian's package of it
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
}


class NoWindow(RuntimeError):
    """There is no display to open a window on, or the program that would is not installed; the message says which."""


# ── boxes by the model ──────────────────────────────────────────────────────────────────────────────────────────────


def prelabel(
    photos: Iterable[str | Path],
    detector: "MaskDetector | Callable[[np.ndarray], Any]",
    *,
    into: str | Path,
    root: str | Path | None = None,
    hints: Mapping[str, str] | None = None,
    source: str = "",
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", list[dict[str, Any]]]:
    """Box and class the faces of photos, one VOC file a photo below `into`: (table of faces, skipped).

    A file there that a person made or touched stays as it is, and its boxes are the photo's rows. hints: {photo:
    class} that a query or folder promises; where a photo has a single face, the hint is its label. Columns beside the
    common ones: answer (the model's class), score (its probability), doubt (0–1: one minus the probability of a face
    with this label). root: the photos' common folder, whose subfolders `into` then repeats. source: the name of the
    set, else that of the folder. Photos without a face, those that share a VOC file with another, and objects of a
    person's file that cannot be used are in skipped.
    """
    known = {str(photo): classes.canonical(label) for photo, label in (hints or {}).items() if label}
    first: dict[Path, str] = {}
    tasks = []
    for photo in map(str, photos):
        target = labels.voc_path(photo, into, root=root)
        name = source or Path(root if root is not None else Path(photo).parent).resolve().name
        tasks.append(_Task(photo, target, known.get(photo, ""), name, first.setdefault(target, photo)))
    results, skipped = batch.run(_Prelabel(detector), tasks, executor=executor, progress=progress)
    faces = _answered([row for found, _ in results for row in found])
    for task, (found, problems) in zip(_done(tasks, skipped), results, strict=True):
        reasons = problems or ([] if found else ["no face found"])
        skipped += [{"item": task.photo, "reason": reason} for reason in reasons]
    return faces, skipped


def _answered(rows: list[dict[str, Any]]) -> "pd.DataFrame":
    """A table of faces with the columns answer and doubt, also where there are no rows."""
    faces = labels.table(rows)
    missing = {name: kind for name, kind in (("answer", "str"), ("doubt", "float64")) if name not in faces}
    return faces.assign(**{n: "" if k == "str" else np.nan for n, k in missing.items()}).astype(missing)


@dataclass(frozen=True)
class _Task:
    photo: str
    target: Path
    hint: str
    source: str
    first: str  # the photo that the target belongs to

    def __str__(self) -> str:
        return self.photo


def _done(tasks: list[_Task], skipped: list[dict[str, Any]]) -> list[_Task]:
    """The tasks that gave a result, in order (a photo that is given twice is skipped once)."""
    left = [s["item"] for s in skipped]
    done = []
    for task in reversed(tasks):
        if task.photo in left:
            left.remove(task.photo)
        else:
            done.append(task)
    return done[::-1]


@dataclass(frozen=True)
class _Prelabel:
    """One photo → (its rows, what cannot be used of a person's file); its VOC file is written unless that is there."""

    detector: Any

    def __call__(self, task: _Task) -> tuple[list[dict[str, Any]], list[str]]:
        if task.first != task.photo:
            raise batch.Skip(f"shares the name of its label file with {task.first}; rename one of the two")
        if labels.owner(task.target) not in ("", "auto"):
            said = labels.read_voc(task.target, image=task.photo, whole=False)
            return said.assign(source=task.source).to_dict("records"), said.attrs["problems"]
        rgb = images.read(task.photo)
        size = rgb.shape[1], rgb.shape[0]
        rows = _rows(self.detector(rgb), size, hint=task.hint)
        rows = [{**row, "image": task.photo, "source": task.source} for row in rows]
        if labels.owner(task.target) not in ("", "auto"):  # somebody labelled it while the model looked
            return self(task)
        try:
            labels.write_voc(task.target, labels.table(rows), size=size, image=task.photo)
        except OSError as trouble:
            if trouble.errno == 28:
                raise
            raise batch.Skip(f"label file cannot be written: {trouble}") from None
        return rows, []


def _rows(found: Any, size: tuple[int, int], *, hint: str) -> list[dict[str, Any]]:
    """Detections as rows of the table, on whole pixels; not_a_face and boxes outside are left out."""
    xyxy = boxes.clip(np.asarray(found.xyxy, float).reshape(-1, 4).round(), size)
    keep = [i for i, box in enumerate(xyxy) if box[2] > box[0] and box[3] > box[1]]
    rows = []
    for i in keep:
        p, face = _probabilities(found, i)
        answer = classes.NAMES[int(p.argmax())]
        label = hint if hint and len(keep) == 1 else answer
        chance = p[classes.NAMES.index(label)] if label in classes.NAMES else 0.0
        row = dict(
            zip(("x1", "y1", "x2", "y2"), xyxy[i].tolist(), strict=True), label=label, origin="auto", answer=answer
        )
        row |= dict(score=round(float(p.max()), 4), doubt=round(1 - float(chance) * face, 4))
        rows.append(row)
    return rows


def _probabilities(found: Any, i: int) -> tuple[np.ndarray, float]:
    """Probabilities (3,) of one face, and how sure it is that it is one.

    A detector that tells only its answer has the rest of the probability spread evenly over the other classes.
    """
    face = float(np.clip(found.data["face_score"][i], 0, 1)) if "face_score" in found.data else 1.0
    if "probabilities" in found.data:
        return np.asarray(found.data["probabilities"][i], float), face
    name = str(found.data["class_name"][i])
    if name not in classes.NAMES:
        raise batch.Skip(f"the detector answers {name!r} and no probabilities; a label must be one of the classes")
    sure = float(found.confidence[i]) if found.confidence is not None else 1.0
    p = np.full(len(classes.NAMES), (1 - sure) / (len(classes.NAMES) - 1))
    p[classes.NAMES.index(name)] = sure
    return p, face


def compare(
    faces: "pd.DataFrame",
    detector: "MaskDetector | Callable[[np.ndarray], Any]",
    *,
    new: bool = False,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", list[dict[str, Any]]]:
    """Ask the model about labelled faces, writing nothing: (the table with answer, score and doubt, skipped).

    A found face speaks for the labelled box that it overlaps (IoU ≥ 0.3); for a row whose box is the whole image, the
    largest does. Where none does, the answer is NOT_FOUND, without score and doubt. new: also a row of origin "auto"
    for every found face that no label speaks of, in photos whose faces are boxed; a sure face has a high doubt.
    """
    groups = [_Group(str(name), tuple(map(dict, g.to_dict("records")))) for name, g in faces.groupby("image")]
    results, skipped = batch.run(_Compare(detector, new), groups, executor=executor, progress=progress)
    return _answered([row for rows in results for row in rows]), skipped


@dataclass(frozen=True)
class _Group:
    image: str
    rows: tuple[dict[str, Any], ...] = field(repr=False)

    def __str__(self) -> str:
        return self.image


@dataclass(frozen=True)
class _Compare:
    detector: Any
    new: bool = False

    def __call__(self, group: _Group) -> list[dict[str, Any]]:
        rgb = images.read(group.image)
        found = self.detector(rgb)
        xyxy = np.asarray(found.xyxy, float).reshape(-1, 4)
        truth = np.array([[row[c] for c in ("x1", "y1", "x2", "y2")] for row in group.rows], float)
        scores = np.array([_probabilities(found, i)[1] for i in range(len(xyxy))])
        owner = boxes.match(xyxy, truth, scores, min_iou=_SAME)
        said = {int(t): i for i, t in enumerate(owner) if t >= 0}
        rows = []
        for n, row in enumerate(group.rows):
            i = said.get(n)
            if row.get("framing") == "whole" and len(xyxy):
                i = int(boxes.area(xyxy).argmax())
            rows.append(
                row | (dict(answer=NOT_FOUND, score=np.nan, doubt=np.nan) if i is None else _said(found, i, row))
            )
        if self.new and all(row.get("framing") in (None, "", "labelled") for row in group.rows):
            rows += _overlooked(found, truth, group, size=(rgb.shape[1], rgb.shape[0]))
        return rows


def _overlooked(found: Any, truth: np.ndarray, group: _Group, *, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Rows of the found faces that no labelled box meets; their doubt is how sure the model is that one is missing."""
    free = found[boxes.iou(found.xyxy, truth).max(1, initial=0.0) < _SAME]
    about = {"image": group.image, "source": group.rows[0].get("source", ""), "framing": "labelled"}
    return [row | about | {"doubt": round(1 - row["doubt"], 4)} for row in _rows(free, size, hint="")]


def _said(found: Any, i: int, row: dict[str, Any]) -> dict[str, Any]:
    p, face = _probabilities(found, i)
    chance = p[classes.NAMES.index(row["label"])] if row["label"] in classes.NAMES else 0.0
    return dict(answer=classes.NAMES[int(p.argmax())], score=float(p.max()), doubt=1 - float(chance) * face)


def agreement(faces: "pd.DataFrame") -> "pd.DataFrame":
    """Count label (rows) against the model's answer (columns), in the classes' order and words."""
    import pandas as pd

    rows = [n for n in (*classes.NAMES, classes.NOT_A_FACE) if n in classes.NAMES or (faces["label"] == n).any()]
    columns = [*classes.NAMES, *([NOT_FOUND] if (faces["answer"] == NOT_FOUND).any() else [])]
    told = faces[faces["answer"] != ""]
    counts = {c: [int(((told["label"] == r) & (told["answer"] == c)).sum()) for r in rows] for c in columns}
    words = {**classes.WORDS, NOT_FOUND: "Not found"}
    result = pd.DataFrame(counts, index=[words[r] for r in rows]).rename(columns=words)
    return result.rename_axis(index="label", columns="model's answer")


# ── windows ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def label_img(
    folder: str | Path, *, into: str | Path | None = None, names: Sequence[str] = classes.NAMES
) -> subprocess.Popen:
    """Start the real labelImg on a folder of photos, in a process of its own; it keeps running when we do not wait.

    into: where its VOC files are and go, in the subfolders that the photos have; by default the folder itself. Raises
    FileNotFoundError for a folder without photos, ValueError where two photos would share a file, NoWindow where there
    is no display or no labelImg.
    """
    folder = Path(folder).resolve()
    photos = images.find(folder)
    if not photos:
        raise FileNotFoundError(f"folder: no photos in {folder}")
    first: dict[Path, Path] = {}
    for photo in photos:
        other = first.setdefault(labels.voc_path(photo, folder, root=folder), photo)
        if other != photo:
            one, two = other.relative_to(folder), photo.relative_to(folder)
            raise ValueError(f"folder: {one} and {two} would share a label file; rename one of the two")
    for module in ("PyQt5", "labelImg"):
        if importlib.util.find_spec(module) is None:
            raise NoWindow(f"labelImg: {module} is not installed; run: pip install 'face-mask-workbench[label]'")
    _need_display("labelImg")
    _need_libraries()
    into = Path(into).resolve() if into is not None else folder
    into.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{name}\n" for name in names).encode()
    listed = Path(tempfile.gettempdir()) / f"mask-classes-{files.sha256(content)[:12]}.txt"
    files.write(listed, content)
    command = [sys.executable, "-m", f"{__name__}.windows", "labelimg", str(folder), str(listed), str(into)]
    return subprocess.Popen(command, env=window_environment(), start_new_session=True)


def window_environment() -> dict[str, str]:
    """Our environment without the Qt paths that `import cv2` sets: with them PyQt5 aborts, in children too."""
    return {k: v for k, v in os.environ.items() if not (k.startswith("QT_") and k.endswith(("PATH", "FONTDIR")))}


def _need_display(what: str) -> None:
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise NoWindow(
            f"{what}: opens a window, and there is no display here (DISPLAY is not set); label in the notebook with "
            "labeller.Labeller, or run the command on a machine with a screen"
        )


def _need_libraries() -> None:
    """PyQt5 brings Qt but not these of the system's libraries, and aborts without them."""
    missing = []
    for name, package in _QT_NEEDS.items():
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(package)
    if missing and sys.platform.startswith("linux"):
        raise NoWindow(f"labelImg: Qt lacks {', '.join(missing)}; run: sudo apt install {' '.join(missing)}")


def roi(photo: str | Path, *, label: str, into: str | Path, root: str | Path | None = None) -> "pd.DataFrame":
    """Draw boxes of one class on a photo in OpenCV's own window, add them to its VOC file, and return all its faces.

    The window lives in a process of its own, because OpenCV aborts its process where a window cannot be opened.
    Raises NoWindow there, UnreadableImage, and FormatError for a VOC file that cannot be read whole, which stays.
    """
    name = classes.canonical(label)
    size = images.read(photo).shape[1::-1]
    target = labels.voc_path(photo, into, root=root)
    _need_display("cv2.selectROIs")
    _before(target, photo)
    command = [sys.executable, "-m", f"{__name__}.windows", "roi", str(photo)]
    done = subprocess.run(command, env=window_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NoWindow(f"cv2.selectROIs: the window could not be opened (code {done.returncode}): {last}")
    before = _before(target, photo)
    drawn = [dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)) for box in json.loads(done.stdout or "[]")]
    new = [{**box, "image": str(photo), "label": name, "origin": "manual"} for box in drawn]
    faces = labels.table([*before.to_dict("records"), *new])
    if new:
        verified = before.attrs.get("verified", False)
        labels.write_voc(target, faces, size=(int(size[0]), int(size[1])), image=photo, verified=verified)
    return faces


def _before(target: Path, photo: str | Path) -> "pd.DataFrame":
    """What a photo's VOC file says, an empty table without one. Raises FormatError where it cannot be read whole."""
    return labels.read_voc(target, image=photo) if target.is_file() else labels.table()
