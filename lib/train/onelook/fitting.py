"""Fit the one-look detector to an album: canvases made anew each epoch; killed runs go on after their last epoch."""

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import boxes, cells, dataset, images, model
from ...classes import NAMES
from ..fitting import Run
from ..recipe import BARE
from ..state import State
from ..tuning import tune
from .album import CROPS, MASKED, Album, album
from .losses import loss
from .plan import LookPlan
from .shown import canvas, canvases
from .targets import IGNORED, targets

if TYPE_CHECKING:
    import keras
    import pandas as pd

__all__ = ["fit_look", "look_recipe", "truth"]

log = logging.getLogger(__name__)
LOWEST = 0.02  # face scores down to which precision is measured
Answers = dict[str, list[list[Any]]]
Judge = Callable[["pd.DataFrame", Answers], Mapping[str, float | None]]
Faces = tuple[np.ndarray, np.ndarray, np.ndarray]  # boxes, face scores, class probabilities of one photo
COMMAND = "python -m lib train --detector {name} --data FOLDER --out models --cache CACHE"
LIMITS = [
    "Faces below 12 pixels of the canvas are guesses.",
    "Worn incorrectly is a loose notion in the training data; it is the weakest class.",
]


def look_recipe(
    data: str | Path,
    *,
    into: str | Path,
    cache: str | Path,
    name: str = "one-look",
    plan: LookPlan | None = None,
    executor: Executor | None = None,
    progress: Callable | None = None,
    **options: Any,
) -> Run:
    """Train the one-look detector on the folders of public photos below `data`, all but the test of record.

    cache: a folder that keeps drawn masks, boxes and decoded photos, some 2 GB. options: as for `fit_look`. Killed, it
    goes on where it was. Writes NAME.keras, .tflite, -float16.tflite, .json, .csv and -split.json into `into`.
    """
    gathered = album(data, cache=cache, executor=executor, progress=progress)
    faces = _told(gathered, range(len(gathered)))
    counts = faces.groupby(["source", "label"]).size()
    facts = {
        "data": [{"source": s, "label": c, "faces": int(n)} for (s, c), n in counts.items()],
        "split": dataset.write_split(faces, into, name=f"{name}-split"),
        "limits": LIMITS,
        "command": COMMAND.format(name=name),
    }
    return fit_look(gathered, into=into, name=name, plan=plan, facts=facts, **options)


def fit_look(
    gathered: Album,
    *,
    into: str | Path,
    name: str,
    plan: LookPlan | None = None,
    judge: Judge | None = None,
    resume: bool = True,
    facts: dict[str, Any] | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    **changes: Any,
) -> Run:
    """Train on the album's photos of split 'train', choose the epoch by 'validation', export, write card and log.

    judge: (`truth`, {name: [[x1, y1, x2, y2, score, class], …]}) → figures for the log, with "map50", by which the best
    epoch is chosen; without it by the loss. changes: fields of the plan. Raises ValueError without validation photos.
    """
    plan = dataclasses.replace(plan or LookPlan(), **changes)
    into, seen = Path(into), _Seen.of(gathered, plan)
    state = State.open(into / f".{name}", _identity(plan, gathered), resume=resume)
    network, watching = _start(plan, state), _network(plan, plan.shape, weights=None)
    for epoch in range(len(state.rows), plan.epochs):
        row = {"epoch": epoch + 1, "stage": "all"} | _epoch(network, gathered, plan, epoch)
        watching.set_weights(network.get_weights())
        row |= _validate(watching, seen, plan, judge)
        state.save(network, row, stage="all", by="val_short" if judge else "val_loss")
        log.info("%s", ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
        if on_epoch is not None:
            on_epoch(row)
    if state.best_epoch < 0:
        raise ValueError(f"training: the loss was never a number; try a rate below {plan.rate:g}")
    network.load_weights(state.weights)
    watching.set_weights(network.get_weights())
    run = _finish(watching, gathered, seen, plan, state, into=into, name=name, judge=judge, facts=facts or {})
    state.done()
    return run


def truth(gathered: Album, *, split: str = "validation") -> "pd.DataFrame":
    """The labelled faces of whole photos of a split, as a table of faces in the pixels of the album's photos."""
    return _told(gathered, _whole(gathered, split))


def _told(gathered: Album, photos: Iterable[int]) -> "pd.DataFrame":
    """The labelled faces of some photos as a table of faces."""
    import pandas as pd

    rows = []
    for i in photos:
        named = zip(gathered.boxes[i], gathered.labels[i], strict=True)
        where = gathered.sources[i], gathered.splits[i]
        rows += [(gathered.names[i], *box, NAMES[c], *where) for box, c in named if c != IGNORED]
    return pd.DataFrame(rows, columns=["image", "x1", "y1", "x2", "y2", "label", "source", "split"])


def _whole(gathered: Album, split: str) -> list[int]:
    """Photos of a split whose faces people boxed."""
    real = ~np.isin(gathered.sources.astype(str), (CROPS, MASKED, BARE))
    known = [i for i in np.flatnonzero(real & (gathered.splits == split)) if (gathered.labels[i] != IGNORED).any()]
    return [int(i) for i in known]


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What validation looks at: whole photos on canvases, and what is known of them."""

    canvases: np.ndarray
    backs: list[np.ndarray]
    targets: np.ndarray
    rows: list[int]
    truth: "pd.DataFrame"
    gathered: Album

    @classmethod
    def of(cls, gathered: Album, plan: LookPlan) -> "_Seen":
        rows = _whole(gathered, "validation")
        if not rows:
            raise ValueError("split: no labelled photo is in validation")
        fitted = [cells.letterbox(gathered.rgb(i), plan.shape) for i in rows]
        places = cells.points(plan.shape)
        wanted = [
            targets(gathered.boxes[i] / back, gathered.labels[i], places)
            for i, (_, back) in zip(rows, fitted, strict=True)
        ]
        shown = np.stack([c for c, _ in fitted])
        return cls(shown, [b for _, b in fitted], np.stack(wanted), rows, truth(gathered), gathered)

    def found(self, said: np.ndarray, plan: LookPlan) -> list[Faces]:
        """Boxes in the photo's pixels, face scores and class probabilities of each photo; ignored faces left out."""
        result, places = [], cells.points(plan.shape)
        for i, back, one in zip(self.rows, self.backs, said, strict=True):
            outputs = one[:, :1], one[:, 1:5], one[:, 5:]
            xyxy, scores, named = cells.read(outputs, places, min_score=LOWEST, overlap=plan.overlap)
            h, w = self.gathered.rgb(i).shape[:2]
            xyxy = boxes.clip(xyxy * back, (w, h))
            unknown = self.gathered.boxes[i][self.gathered.labels[i] == IGNORED]
            told = boxes.iou(xyxy, unknown).max(axis=1, initial=0) < 0.5
            result.append((xyxy[told], scores[told], named[told]))
        return result

    def answers(self, found: list[Faces]) -> Answers:
        """The same as rows for a judge."""
        return {
            self.gathered.names[i]: [
                [*map(float, box), float(score * p.max()), NAMES[int(p.argmax())]]
                for box, score, p in zip(*one, strict=True)
            ]
            for i, one in zip(self.rows, found, strict=True)
        }


def _identity(plan: LookPlan, gathered: Album) -> str:
    """What must be the same for a run to go on: the plan and the album."""
    faces = np.concatenate([np.zeros((0, 4)), *gathered.boxes]).round(2).tobytes()
    told = np.concatenate([np.zeros(0, int), *gathered.labels]).tobytes() + gathered.splits.astype("S").tobytes()
    return images.sha256((json.dumps(dataclasses.asdict(plan)) + images.sha256(faces + told)).encode())


def _network(plan: LookPlan, shape: tuple[int, int], *, weights: str | None) -> "keras.Model":
    return model.one_look(shape=shape, alpha=plan.alpha, width=plan.width, weights=weights, seed=plan.seed)


def _start(plan: LookPlan, state: State) -> "keras.Model":
    """The network as the last epoch left it with its optimiser, or a new one."""
    import keras

    if state.rows:
        return keras.models.load_model(state.last(len(state.rows) - 1), custom_objects={"loss": loss})
    network = _network(plan, (plan.size, plan.size), weights=plan.weights)
    steps = max(1, plan.canvases // plan.batch)
    total = max(2, plan.epochs * steps)
    warm = min(total // 10, 300)
    schedule = keras.optimizers.schedules.CosineDecay(
        plan.rate * 0.05, total - warm, alpha=0.02, warmup_target=plan.rate, warmup_steps=warm
    )
    # Keras puts the running mean in the weights' place whenever `fit` ends: here after every epoch.
    # A mean that reaches back to the epoch's beginning would undo what the epoch taught.
    momentum = min(plan.average, 1 - 4 / max(steps, 4))
    mean = {"use_ema": True, "ema_momentum": momentum} if momentum > 0 else {}
    network.compile(keras.optimizers.Adam(schedule, global_clipnorm=10.0, **mean), loss=loss, jit_compile=False)
    return network


def _epoch(network: "keras.Model", gathered: Album, plan: LookPlan, epoch: int) -> dict[str, Any]:
    """Show an epoch's canvases: loss, seconds, canvases a second, and the share of time that they were made in."""
    shown, began = canvases(gathered, plan, epoch=epoch), time.monotonic()
    with model.quiet():
        result = network.fit(shown, epochs=epoch + 1, initial_epoch=epoch, shuffle=False, verbose=0).history
    seconds = max(time.monotonic() - began, 1e-3)
    return {
        "loss": float(result["loss"][-1]),
        "seconds": round(seconds, 1),
        "images_per_s": round(len(shown) * plan.batch / seconds, 2),
        "making_crops": round(min(shown.busy / seconds, 1.0), 2),
    }


def _validate(network: "keras.Model", seen: _Seen, plan: LookPlan, judge: Judge | None) -> dict[str, float]:
    said = network.predict(seen.canvases, batch_size=8, verbose=0)
    parts = [float(loss(seen.targets[i : i + 8], said[i : i + 8])) for i in range(0, len(said), 8)]
    row = {"val_loss": float(np.mean(parts))}
    if judge is not None:
        figures = _figures(judge, seen, seen.found(said, plan))
        row |= {f"val_{k}": v for k, v in figures.items()} | {"val_short": 1 - figures["map50"]}
    return row


def _figures(judge: Judge, seen: _Seen, found: list[Faces]) -> dict[str, float]:
    """What the judge says; where nothing was found it has no figure, which counts as 0."""
    return {k: 0.0 if v is None else float(v) for k, v in judge(seen.truth, seen.answers(found)).items()}


def _tuned(found: list[Faces], seen: _Seen, plan: LookPlan) -> dict[str, Any]:
    """Temperature, bias and threshold of "unsure" from the validation faces that were found."""
    rows, names = [np.zeros((0, len(NAMES)))], [np.zeros(0, int)]
    for i, (xyxy, scores, named) in zip(seen.rows, found, strict=True):
        sure = scores >= plan.min_score
        told = seen.gathered.labels[i] != IGNORED
        owner = boxes.match(xyxy[sure], seen.gathered.boxes[i][told], scores[sure])
        rows.append(named[sure][owner >= 0])
        names.append(seen.gathered.labels[i][told][owner[owner >= 0]])
    answers, labels = np.concatenate(rows), np.concatenate(names)
    return tune(answers, labels, worn=plan.worn) if len(labels) else {}


def _finish(
    network: "keras.Model",
    gathered: Album,
    seen: _Seen,
    plan: LookPlan,
    state: State,
    *,
    into: Path,
    name: str,
    judge: Judge | None,
    facts: dict[str, Any],
) -> Run:
    """Export, tune and measure on validation, write card and log."""
    import pandas as pd

    said = network.predict(seen.canvases, batch_size=8, verbose=0)
    found = seen.found(said, plan)
    paths = model.export_one_look(network, into, name, calibration=_calibration(gathered, plan))
    report: dict[str, Any] = {"photos": len(seen.rows), "faces": len(seen.truth), "best_epoch": state.best_epoch + 1}
    if judge is not None:
        report |= {k: round(v, 4) for k, v in _figures(judge, seen, found).items()}
    history = pd.DataFrame(state.rows)
    paths["log"] = images.write(into / f"{name}.csv", history.to_csv(index=False))
    known: dict[str, Any] = {"network": "one_look", "alpha": plan.alpha, "input_size": list(plan.shape), "finder": None}
    known |= {"min_score": plan.min_score, "overlap": plan.overlap, "plan": dataclasses.asdict(plan)}
    known |= {"measures": {"validation": report}} | _tuned(found, seen, plan)
    files = {kind: paths[kind] for kind in ("tflite", "float16", "keras")}
    card = model.card(files, name=name, **known | facts)
    paths["card"] = into / f"{name}.json"
    return Run(history, paths, card)


def _calibration(gathered: Album, plan: LookPlan) -> np.ndarray:
    """Canvases by which int8 learns its ranges: photos as they are, and some as training shows them."""
    rng = np.random.default_rng(plan.seed)
    train = np.flatnonzero(gathered.splits == "train")
    rows = rng.choice(train, min(len(train), 100), replace=False)
    plain = [cells.letterbox(gathered.rgb(i), plan.shape)[0] for i in rows]
    made = [canvas(gathered, min(plan.shape), rng=rng)[0] for _ in range(50)]
    return np.stack(plain + [cells.letterbox(rgb, plan.shape)[0] for rgb in made])
