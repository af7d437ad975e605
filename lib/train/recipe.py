"""The recipes of the models that ship: from the folders of public photos to the files in `models/`."""

import csv
import dataclasses
import logging
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets, dataset, dedupe, faces, images, labels
from ..classes import NAMES
from .crops import WIDE, wide_size
from .drawing import Amount, Draw, Wish, drawn, pictured
from .fitting import Run, fit
from .plan import Plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RECIPES", "gather", "prepared", "recipe"]

log = logging.getLogger(__name__)

RECIPES = {
    "full": Plan(epochs_all=16, patience=16),
    "small": Plan(alpha=0.35, rate_all=4e-4, epochs_all=24, patience=24),  # for a small computer or a browser
}
FOLDERS = ("faces-4k", "photos-labelled", "photos-worn-incorrectly")  # class folders or Pascal VOC
BARE = "photos-bare"  # one box a photo in index.csv
TEST = "photos-853"  # the test of record: read only where everything shall teach
MIN_SIDE = 16  # pixels of the shorter side of a box; below that a label is a guess
TWINS, TWIN_BITS = 0.2, 30  # look-alikes that go to one side of the split; up to 44 bits would take a quarter hour
PERSON = re.compile(r"^\d+_\d+_")  # RMFD's crops in faces-4k; the rest of its bare faces are portraits and copies

# Files of faces-4k that show photos of the test of record: a lower bound; models/OVERLAP lists all that were found.
OVERLAPPING = frozenset(
    f"with_mask/with_mask{n}" for n in "012 054 088 184 228 239 279 293 332 333 338 344 347 375 376 655 658".split()
)
OVERLAP = "overlap-photos-853.txt"
CORRECTIONS = "corrections.csv"  # labels of the folders that are plainly wrong
LIMITS = [
    "Faces below 20 pixels are guesses.",
    "Scarves and helmets are too rare in the public sets for a figure of their own.",
    "Worn incorrectly is a loose notion in the training data (nose out, chin only, hanging from an ear): 455 real "
    "faces, nearly all of one source, and 730 drawn ones; it is the weakest class.",
    "A face that the face detector does not find gets no answer.",
]
SEEN = f"{TEST} taught it: a figure measured there says nothing about it."


def gather(
    data: str | Path,
    *,
    leave_out: Iterable[str] = (),
    corrections: str | Path | None = None,
    everything: bool = False,
) -> "pd.DataFrame":
    """The table of all faces in the folders of public photos that are below `data`, the test of record left out.

    Needs any of faces-4k, photos-labelled, photos-worn-incorrectly and photos-bare; those missing are logged.
    leave_out: more files, as folder/name of faces-4k; corrections: a list of labels to correct; everything: photos-853,
    the test of record, teaches as well. Raises FileNotFoundError where none is there.
    """
    import pandas as pd

    data, tables = Path(data), []
    for name in (*FOLDERS, BARE, *((TEST,) if everything else ())):
        if not (data / name).is_dir():
            log.warning("recipe: no folder %s; training goes on without it", data / name)
            continue
        table = _bare(data / name) if name == BARE else labels.read_folder(data / name, corrections=corrections)[0]
        tables.append(table.assign(source=name))
    if not tables:
        raise FileNotFoundError(f"data: {data} has none of {', '.join((*FOLDERS, BARE))}")
    table = pd.concat(tables, ignore_index=True)
    table["group"] = _families(table)
    stems = [f"{Path(i).parent.name}/{Path(i).stem}" for i in table["image"]]
    away = OVERLAPPING | {str(Path(line).with_suffix("")) for line in leave_out}
    is_out = np.isin(stems, sorted(away)) & (table["source"] == FOLDERS[0]).to_numpy()
    small = (table[["x2", "y2"]].to_numpy() - table[["x1", "y1"]].to_numpy()).min(1) < MIN_SIDE
    log.info("recipe: %d faces, %d left out as photos of the test, %d too small", len(table), is_out.sum(), small.sum())
    return table[~is_out & ~small].reset_index(drop=True)


def _families(table: "pd.DataFrame") -> np.ndarray:
    """Groups that no hash finds: 260 bare faces of faces-4k are turned copies of 77 of its 420 portraits."""
    bare = (table["source"] == FOLDERS[0]) & (table["label"] == NAMES[1])
    portrait = bare & ~table["image"].map(lambda image: bool(PERSON.match(Path(image).name)))
    return np.where(portrait, "portraits and their copies", "")


def listed(path: Path) -> list[str]:
    """The first word of every line of a text file that is no remark. Raises FileNotFoundError."""
    if not path.is_file():
        raise FileNotFoundError(
            f"list: {path} is not there; it names the photos of the test of record that training must leave out, and "
            f"belongs to the models that ship: get it back from the repository"
        )
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]


def _bare(folder: Path) -> "pd.DataFrame":
    """photos-bare: the largest face of each photo, and the person where the file tells."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return labels.table(
        {
            "image": str(folder / row["file"]),
            "x1": float(row["face_x"]),
            "y1": float(row["face_y"]),
            "x2": float(row["face_x"]) + float(row["face_w"]),
            "y2": float(row["face_y"]) + float(row["face_h"]),
            "label": NAMES[1],
            "origin": "auto",
            "identity": row["identity"],
        }
        for row in rows
        if row["face_w"]
    )


def recipe(
    data: str | Path,
    *,
    into: str | Path,
    name: str = "full",
    plan: Plan | None = None,
    amount: Amount | None = None,
    everything: bool = False,
    cache: str | Path | None = None,
    resume: bool = True,
    logdir: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable | None = None,
    **changes: Any,
) -> Run:
    """Train a model that ships on the folders of public photos below `data`, all but the test of record.

    Face boxes are found in class-folder crops, look-alikes and one person's photos are kept on one side of the split,
    masks and look-alikes are drawn on a share of the bare faces that teach (amount), and what is decided is decided on
    validation, where every face is real. name: one of RECIPES, or any name with a plan. cache: a folder that keeps
    boxes, groups and crops for the next run. Takes up to an hour on two cores; killed, it goes on where it was. Writes
    NAME.keras, .tflite, .json, .csv and NAME-split.json into `into`. everything: photos-853 teaches as well; what comes
    of it is NAME-all, a model to use that can no more be measured there. changes: fields of the plan; logdir: a folder
    for TensorBoard. Raises FileNotFoundError where the list of photos that overlap with the test of record is missing.
    """
    plan, amount = dataclasses.replace(plan or RECIPES.get(name, Plan()), **changes), amount or Amount()
    started, into = time.monotonic(), Path(into)
    how: dict[str, Any] = {"cache": cache, "executor": executor, "progress": progress}
    table = prepared(data, seed=plan.seed, everything=everything, **how)
    saved = f"{name}-all" if everything else name
    split = dataset.write_split(table, into, name=f"{saved}-split", seed=plan.seed)
    table, crops = taught(table, amount, size=plan.largest(), **how)
    log.info("recipe: %d crops ready after %.0f s", len(crops), time.monotonic() - started)
    sources = table.assign(made=np.where(table["origin"] == "artificial", "drawn", "real"))
    facts = {
        "data": [
            {"source": s, "label": c, "made": m, "faces": int(n)}
            for (s, c, m), n in sources.groupby(["source", "label", "made"]).size().items()
        ],
        "split": split,
        "limits": LIMITS + [SEEN] * everything,
        "command": f"python -m lib train --recipe {name}{' --everything' * everything} --data FOLDER --out models",
    }
    return fit(table, crops, into=into, name=saved, plan=plan, resume=resume, logdir=logdir, float16=True, facts=facts)


def taught(table: "pd.DataFrame", amount: Amount, *, size: int, **how: Any) -> tuple["pd.DataFrame", np.ndarray]:
    """The faces that teach and those that judge, with their wide crops; what is drawn, teaches only.

    The same faces are drawn whatever the seed of the training. how: cache, executor and progress.
    """
    import pandas as pd

    side = wide_size(size)
    more, more_crops, stay = drawn(table, amount, side=side, **how)
    real, judge = table[stay & (table["split"] == "train")], table[table["split"] == "validation"]
    asis = [(Wish("as it is", "", "", i),) for i in range(len(real))]
    real, real_crops, _ = pictured(real, asis, Draw(side), **how)  # compressed once more, as the drawn ones are
    judge_crops = dataset.crops(judge, margin=WIDE, size=side, **how)
    both = pd.concat([real, more, judge], ignore_index=True)
    return both, np.concatenate([real_crops, more_crops, judge_crops])


def prepared(
    data: str | Path,
    *,
    cache: str | Path | None = None,
    seed: int = 0,
    everything: bool = False,
    executor: Executor | None = None,
    progress: Callable | None = None,
) -> "pd.DataFrame":
    """The recipe's table: gathered, boxed, grouped and split into train and validation; cache keeps it."""
    away, corrections = listed(assets.models() / OVERLAP), assets.models() / CORRECTIONS
    table = gather(data, leave_out=away, corrections=corrections, everything=everything)
    kept = None if cache is None else Path(cache)
    return _prepared(table, kept, seed=seed, executor=executor, progress=progress)


def _prepared(table: "pd.DataFrame", cache: Path | None, **how: Any) -> "pd.DataFrame":
    """`prepare`, or what it gave for the same faces by the same finder and thresholds before."""
    how["find"] = find = faces.finder()
    if cache is None:
        return prepare(table, **how)
    said = (find.name, find.min_score, find.max_side, faces.FRAMING, TWINS, TWIN_BITS, how["seed"])
    digest = images.sha256(f"{table.to_csv(index=False)}{said}".encode())[:16]
    path = cache / f"prepared-{digest}.parquet"
    if path.is_file():
        return dataset.read(path)
    table = prepare(table, **how)
    dataset.write(table, path)
    return table


def prepare(
    table: "pd.DataFrame",
    *,
    find: Callable[[np.ndarray], Any],
    seed: int = 0,
    executor: Executor | None = None,
    progress: Callable | None = None,
) -> "pd.DataFrame":
    """Box every crop, group look-alikes and persons, and split by group into train and validation (80 : 20)."""
    table = dataset.locate(table, find, executor=executor, progress=progress)
    prints, _ = dedupe.fingerprints(sorted(set(table["image"])), executor=executor, progress=progress)
    table = dataset.group(table, twins=dedupe.groups(prints, max_distance=TWINS, max_bits=TWIN_BITS))
    large = (
        table["group"].isin(table.loc[_families(table) != "", "group"]).to_numpy()
    )  # most of its source's bare faces
    strata = table["source"] + " " + table["label"]  # every source and class on both sides
    sides = dataset.split(table[~large].assign(label=strata), shares=(0.8, 0.2, 0.0), seed=seed)
    side = np.full(len(table), "train", dtype=object)
    side[~large] = sides["split"]
    return table.assign(split=side)
