"""One format of labels into another, in a folder of its own."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import batch, classes, files, images
from .coco import write_coco
from .columns import table
from .crops import free, write_crops
from .folder import survey
from .photos import PHOTO_FOLDERS
from .voc import voc_path, write_voc
from .yolo import NAMES, write_names, write_yolo

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMATS", "convert"]

FORMATS = ("voc", "yolo", "coco", "crops")


def convert(
    folder: str | Path,
    *,
    to: str,
    into: str | Path,
    corrections: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Write all labels of a folder, whatever their format, as "voc", "yolo", "coco" or "crops": (faces, problems).

    Photos are copied byte by byte to `into`/images/ with their subfolders; labels go to annotations/ (VOC),
    annotations/instances.json (COCO) or labels/ with data.yaml (YOLO); crops go to `into`/CLASS/. Photos that a label
    says have no face go along, photos without a label do not. What a person verified becomes his ("manual").
    The table is of what was written (`.attrs`: "formats" that were read, number of "photos"), corrections and problems
    as in `read_folder`. Raises ValueError where into holds anything or lies inside folder: nothing is ever overwritten.
    """
    folder, into = Path(folder), Path(into)
    if to not in FORMATS:
        raise ValueError(f"to: must be one of {', '.join(FORMATS)}, got {to!r}")
    _check_vacant(into, folder)
    found = survey(folder, corrections=corrections, executor=executor, progress=progress)
    faces, problems = found.faces, found.problems
    if not len(faces) and not found.empty:
        why = f"; {problems['file'][0]}: {problems['reason'][0]}" if len(problems) else ""
        raise ValueError(f"{folder}: no VOC, YOLO or COCO labels and no class folders in it{why}")
    faces["origin"] = faces["origin"].where(~faces["image"].isin(found.persons), "manual")
    if to == "crops":
        made, skipped = write_crops(into, faces, root=folder, executor=executor, progress=progress)
        count = faces["image"].nunique() - len(skipped)
    else:
        photos = list(dict.fromkeys([*faces["image"], *found.empty]))
        copies = list(zip(photos, _targets(photos, folder, into / "images"), strict=True))
        done, skipped = batch.run(_copy, copies, progress=progress)
        made = table(faces[faces["image"].isin(dict(done))].assign(image=lambda t: t["image"].map(dict(done))))
        seen = {target for photo, target in done if photo in found.persons}
        _write(to, made, into, sizes={target: images.size(target) for _, target in done}, seen=seen)
        count = len(done)
    made.attrs.update({**faces.attrs, "photos": count})
    return made, _with(problems, [{"file": s["item"], "line": 0, "reason": s["reason"]} for s in skipped])


def _check_vacant(into: Path, folder: Path) -> None:
    files.spare(into, folder)
    if into.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"into: {into} lies inside {folder} and would be read as labels of it; give another folder")
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise ValueError(f"into: {into} holds something already, and nothing is overwritten; give a new folder")


def _with(problems: "pd.DataFrame", extra: list[dict[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.concat([problems, pd.DataFrame(extra)], ignore_index=True) if extra else problems


def _targets(photos: list[str], folder: Path, into: Path) -> list[Path]:
    """Where each photo's copy goes: no two of one stem in a folder, for a label file is found by its stem."""
    taken: dict[Path, set[str]] = {}
    found = []
    for photo in map(Path, photos):
        below = (part for part in photo.relative_to(folder).parent.parts if part not in PHOTO_FOLDERS)
        home = into.joinpath(*below)
        found.append(home / (free(photo.stem, taken.setdefault(home, set())) + photo.suffix))
    return found


def _copy(pair: tuple[str, Path]) -> tuple[str, str]:
    photo, target = pair
    files.spare(target, photo)
    files.write(target, Path(photo).read_bytes())
    return photo, str(target)


def _write(to: str, faces: "pd.DataFrame", into: Path, *, sizes: dict[str, tuple[int, int]], seen: set[str]) -> None:
    """Write the labels of photos of these sizes; a person looked at those in seen."""
    root = into / "images"
    if to == "coco":
        write_coco(into / "annotations" / "instances.json", faces, sizes=sizes, root=root)
        return
    of = {str(photo): rows for photo, rows in faces.groupby("image", sort=False)}
    for photo, size in sizes.items():
        rows = of.get(photo, faces.iloc[:0])
        if to == "voc":
            write_voc(
                voc_path(photo, into / "annotations", root=root), rows, size=size, image=photo, verified=photo in seen
            )
        else:
            write_yolo(voc_path(photo, into / "labels", root=root).with_suffix(".txt"), rows, size=size)
    if to == "yolo":
        write_names(into, names=[n for n in NAMES if n in classes.NAMES or n in set(faces["label"])])
