"""A sweep: many plans on the same faces, a row each, resumable row by row; figures of validation alone."""

import dataclasses
import itertools
import json
import logging
import shutil
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import images, plots
from .fitting import curves, speed
from .plan import Plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["grid", "sweep"]

log = logging.getLogger(__name__)


def grid(text: str | Path) -> dict[str, list[Any]]:
    """Read what a sweep varies: a TOML file, or words such as "rate=1e-4,1e-3 batch=16,32".

    Keys are fields of the plan, or `rate` for the rates of both stages; values are lists. Raises ValueError.
    """
    if str(text).endswith(".toml"):
        try:
            told = tomllib.loads(Path(text).read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as trouble:
            raise ValueError(f"sweep: {text} is no TOML: {trouble}") from trouble
    else:
        told = {}
        for word in str(text).split():
            name, _, values = word.partition("=")
            if not values:
                raise ValueError(f"sweep: wants words such as rate=1e-4,1e-3, got {word!r}")
            told[name] = [_value(v) for v in values.split(",")]
    known = {f.name for f in dataclasses.fields(Plan)} | {"rate"}
    for name, values in told.items():
        if name not in known:
            raise ValueError(f"sweep: no field {name!r} in the plan; it has {', '.join(sorted(known))}")
        told[name] = values if isinstance(values, list) else [values]
    if not told or not all(told.values()):
        raise ValueError("sweep: nothing to vary; name at least one field of the plan, with values")
    return told


def _value(word: str) -> Any:
    """A number, true or false as JSON has it; anything else is a word."""
    try:
        return json.loads(word)
    except json.JSONDecodeError:
        return word


def sweep(
    table: "pd.DataFrame",
    crops: Callable[[int], np.ndarray],
    varied: Mapping[str, Sequence[Any]],
    *,
    into: str | Path,
    plan: Plan | None = None,
    on_row: Callable[[dict[str, Any]], None] | None = None,
) -> "pd.DataFrame":
    """Train every combination of what is varied, and note how validation went: a row each, best balanced first.

    crops: the largest input size of a plan → the table's wide crops for it. Writes sweep.json (all curves), sweep.csv
    (what is returned: the varied fields, epochs, best_epoch, val_loss, val_balanced, seconds, images_per_s) and
    sweep.png (loss by epoch, a panel each) into `into`, anew after every row. A row that is there for the same plan and
    the same faces is not trained again, a killed one goes on after its last epoch. No test face is looked at: rows of
    split 'test' take no part.
    """
    plan, into = plan or Plan(), Path(into)
    plans = [
        (dict(zip(varied, c, strict=True)), _changed(plan, varied, c)) for c in itertools.product(*varied.values())
    ]
    table = table.reset_index(drop=True)
    faces = table[table["split"].isin(["train", "validation"])]
    kept, places = _kept(into), faces.index.to_numpy()
    data = images.sha256("".join(faces["image"].astype(str) + faces["label"] + faces["split"]).encode())
    rows: list[dict[str, Any]] = []
    for changes, one in plans:
        key = images.sha256((json.dumps(dataclasses.asdict(one), sort_keys=True) + data).encode())[:16]
        if key not in kept:
            log.info("sweep: row %d of %d, %s", len(rows) + 1, len(plans), _words(changes))
            work = into / f".row-{key}"
            wide = crops(one.largest())[places]
            kept[key] = {"key": key, "varied": changes, "epochs": curves(faces, wide, into=work, plan=one)}
            images.write(into / "sweep.json", json.dumps(list(kept.values()), indent=1))
            shutil.rmtree(work)
        rows.append(kept[key])
        if on_row is not None:
            on_row(_summed(rows[-1]))
    return _written(rows, into)


def _changed(plan: Plan, names: Mapping[str, Any], values: Sequence[Any]) -> Plan:
    changes = dict(zip(names, values, strict=True))
    if "rate" in changes:
        rate = changes.pop("rate")
        changes = {"rate_head": rate, "rate_all": rate} | changes
    return dataclasses.replace(plan, **changes)


def _kept(into: Path) -> dict[str, dict[str, Any]]:
    path = into / "sweep.json"
    return {row["key"]: row for row in json.loads(path.read_text())} if path.is_file() else {}


def _words(changes: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in changes.items()
    )


def _summed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in a line: the epoch with the least validation loss, as `fit` would have chosen it."""
    import pandas as pd

    history = pd.DataFrame(row["epochs"])
    last = history[history["stage"] == history["stage"].iloc[-1]]
    sane = last["val_loss"].notna().any()
    best = last.loc[last["val_loss"].idxmin()] if sane else last.iloc[-1]
    told: dict[str, Any] = {"epochs": len(history), "best_epoch": int(best["epoch"])}
    told |= {"val_loss": round(float(best["val_loss"]), 4), "val_balanced": round(float(best["val_balanced"]), 4)}
    rate = last["images_per_s"].iloc[min(1, len(last) - 1) :].median()
    told |= {"seconds": round(float(history["seconds"].sum()), 1), "images_per_s": round(float(rate), 1)}
    told["pace"] = speed(history)
    return {name: value for name, value in row["varied"].items()} | told


def _written(rows: list[dict[str, Any]], into: Path) -> "pd.DataFrame":
    import pandas as pd

    done = pd.DataFrame([_summed(row) for row in rows])
    images.write(into / "sweep.csv", done.to_csv(index=False))
    figure = plots.losses({_words(row["varied"]): pd.DataFrame(row["epochs"]) for row in rows})
    images.write(into / "sweep.png", plots.png(figure))
    return done.sort_values("val_balanced", ascending=False, kind="stable").reset_index(drop=True)
