"""The app's folder: our page, the model as it ships, the pinned runtime, and what ties them together."""

import gzip
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import assets, cells, classes, files
from ..detect.network import ONE_LOOK, Network, model_file
from . import runtime
from .icons import icon

__all__ = ["MODELS", "build", "measured"]

MODELS = ("one-look-small", "one-look")  # the first of these that is there
HERE = Path(__file__).parent
OWN = HERE / "static"
BORROWED = ("static/webcam.js", "web/static/page.css")  # boxes and looks are the same everywhere
ICONS = {"icon-192.png": (192, 0.1), "icon-512.png": (512, 0.1), "icon-maskable.png": (512, 0.2)}
WORKER = "sw.js"
SHOWN = (*classes.NAMES, classes.UNSURE)
AP50 = {  # what cards call it, the best known first
    "map50_with_without": "with and without mask",
    "map50_both": "with and without mask",
    "map50": "three classes",
}


def build(out: str | Path, *, model: str | Path | None = None) -> Path:
    """Write the app into a folder that is new, empty, or an app already; whole or not at all. Returns the folder.

    model: a one-look model's name or card; without it the first of `MODELS`. Raises AssetMissing where model or
    runtime are not here, ValueError for a folder that holds something else, or another kind of model.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / WORKER).is_file())):
        raise ValueError(f"--out: {out} holds something else already; name a new or empty folder")
    content = _files(model)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".part-") as work:
        made = Path(work) / "app"
        for name, data in content.items():
            files.write(made / name, data)
        if out.exists():
            out.rename(Path(work) / "before")  # what it replaces goes with the folder around it
        made.rename(out)
    return out


def _files(model: str | Path | None) -> dict[str, bytes]:
    """Everything that the app consists of, by its path in the folder."""
    card, tflite = _model(model)
    where = runtime.find()
    content = {path.name: path.read_bytes() for path in sorted(OWN.iterdir())}
    content |= {Path(name).name: (HERE.parent / name).read_bytes() for name in BORROWED}
    content |= {name: icon(side, room=room) for name, (side, room) in ICONS.items()}
    content[f"model/{card['files']['tflite']['file']}"] = tflite
    for name in runtime.pins()["files"]:
        path = f"runtime/{Path(name).name}"
        if name.endswith(".wasm"):  # packed once here, for not every host packs what it sends
            content[f"{path}.gzip"] = _packed(where / name)
        else:
            content[path] = (where / name).read_bytes()
    template = content.pop(WORKER).decode()
    listed = {name: {"hash": files.sha256(data)[:16], "bytes": len(data)} for name, data in sorted(content.items())}
    about = _about(card, tflite) | {"files": listed}
    about["version"] = files.sha256(json.dumps(about).encode() + template.encode())[:16]
    content["about.json"] = json.dumps(about, indent=1, ensure_ascii=False).encode()
    keys = {name: entry["hash"] for name, entry in listed.items()} | {"about.json": about["version"]}
    content[WORKER] = template.replace('"{{version}}"', json.dumps(about["version"])).replace(
        '"{{files}}"', json.dumps(keys, indent=1)
    ).encode()  # fmt: skip
    return content


def _model(name: str | Path | None) -> tuple[dict[str, Any], bytes]:
    """Card and int8 file of the model that the app uses."""
    if name is None:
        there = [known for known in MODELS if (assets.models() / f"{known}.json").is_file()]
        if not there:
            raise assets.AssetMissing(
                "app: no one-look model is in models/, and the classifiers find no faces by themselves. Train one: "
                "python -m lib train --detector one-look-small --data PHOTOS --cache CACHE --out models; "
                "or name a card with --model"
            )
        name = there[0]
    card = json.loads(assets.model(name).read_text(encoding="utf-8"))
    if card.get("network") != ONE_LOOK:
        raise ValueError(f"--model: {name} only names faces; the app needs a one-look model, which finds them as well")
    return model_file(name)


def _about(card: Mapping[str, Any], tflite: bytes) -> dict[str, Any]:
    """What the page has to know: the model's card, the classes, and how cells are read."""
    tensor = Network(tflite, threads=1).input
    scale, zero = (float(value) for value in tensor["quantization"])
    entry = card["files"]["tflite"]
    h, w = card["input_size"]
    return {
        "model": {
            "name": card["name"],
            "created": card.get("created", ""),
            "file": f"model/{entry['file']}",
            "sha256": files.sha256(tflite),
            "input": {"shape": [int(h), int(w)], "scale": scale or 1.0, "zero": zero},
            "min_score": float(card.get("min_score", 0.3)),
            "overlap": float(card.get("overlap", 0.45)),
            "temperature": float(card.get("temperature", 1.0)),
            "bias": [float(b) for b in card.get("bias") or [0.0] * len(classes.NAMES)],
            "unsure_below": float(card.get("unsure_below", 0.0)),
            "measured": measured(card),
        },
        "classes": list(classes.NAMES),
        "unsure": classes.UNSURE,
        "legend": [[name, classes.WORDS[name], f"rgb{classes.COLOURS[name]}"] for name in SHOWN],
        "cells": {"strides": list(cells.STRIDES), "grey": cells.GREY, "enlarge": cells.ENLARGE, "reach": cells.REACH},
        "runtime": {key: runtime.pins()[key] for key in ("package", "version", "licence")},
    }


def measured(card: Mapping[str, Any]) -> str:
    """How good the model is, by its card, as a sentence: on photos never seen if there are any, else on validation."""
    measures = card.get("measures") or {}
    for name, figures in sorted(measures.items(), key=lambda item: item[0] == "validation"):
        told = [(figures[key], over) for key, over in AP50.items() if figures.get(key)]
        if told:
            value, over = told[0]
            photos = "validation photos, by which it was chosen" if name == "validation" else f"{name}, never seen"
            found = figures.get("face_recall", figures.get("recall"))
            more = f"; it finds {100 * found:.0f} % of the faces" if isinstance(found, float) else ""
            return f"AP50 {value:.2f} over {over} on {photos}{more}."
    return "Not measured."


def _packed(path: Path) -> bytes:
    """A file, packed by gzip; kept beside it, for that takes a second each."""
    kept = path.with_name(f"{path.name}.gzip")
    if not kept.is_file():
        try:
            files.write(kept, gzip.compress(path.read_bytes(), 9, mtime=0))
        except OSError:  # a folder that is read only
            return gzip.compress(path.read_bytes(), 9, mtime=0)
    return kept.read_bytes()
