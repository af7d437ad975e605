"""Fit a network to a table of faces: crops in memory, changed anew each time they are shown; killed runs go on."""

import contextlib
import dataclasses
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import images, model
from ..classes import NAMES, NOT_A_FACE
from .batches import batches
from .board import board
from .crops import small_view, view
from .plan import Plan
from .state import State
from .tuning import measures, tune

if TYPE_CHECKING:
    import keras
    import pandas as pd

__all__ = ["Run", "curves", "fit", "speed"]

log = logging.getLogger(__name__)
EPSILON = 1e-7


@dataclass(frozen=True)
class Run:
    """What came of a training: the curves, the files by kind (keras, tflite, card, log …) and the card itself."""

    history: "pd.DataFrame"
    paths: dict[str, Path]
    card: dict[str, Any]


def fit(
    table: "pd.DataFrame",
    crops: np.ndarray,
    *,
    into: str | Path,
    name: str,
    plan: Plan | None = None,
    resume: bool = True,
    facts: dict[str, Any] | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    logdir: str | Path | None = None,
    float16: bool = False,
    strategy: Any = None,
    **changes: Any,
) -> Run:
    """Train on the rows of split 'train', choose by 'validation', and write NAME.keras, .tflite, .json and .csv.

    crops: uint8 (n, s, s, 3) of the table's rows, cut with margin `WIDE` at `wide_size(plan.largest())`. The head
    learns first, then the backbone with a falling rate; the epoch with the best validation loss stays. Temperature,
    bias and threshold are tuned on validation. resume: go on where the same run was killed. changes: fields of the
    plan. facts: for the card (data, split, limits, command). logdir: a folder for TensorBoard. float16 also writes
    NAME-float16.tflite. strategy: a tf.distribute strategy; None takes all GPUs where there are several. Raises
    ValueError for fewer than two classes.
    """
    plan = dataclasses.replace(plan or Plan(), **changes)
    into, faces = Path(into), _Faces.of(table, crops)
    state = State.open(into / f".{name}", _identity(plan, faces), resume=resume)
    started = time.monotonic()
    network = _learn(faces, plan, state, on_epoch=on_epoch, logdir=logdir, strategy=strategy)
    if state.best_epoch < 0:
        raise ValueError(f"training: the loss was never a number; try a rate below {plan.rate_all:g}")
    network.load_weights(state.weights)
    log.info("%s: trained in %.0f s", name, time.monotonic() - started)
    ready = _plain(network, plan, faces)
    run = _finish(ready, faces, plan, state, into=into, name=name, facts=facts or {}, float16=float16)
    state.done()
    return run


def curves(
    table: "pd.DataFrame",
    crops: np.ndarray,
    *,
    into: str | Path,
    plan: Plan,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Train as `fit` does and keep nothing but a row an epoch: for a sweep, which looks at validation alone.

    into: a folder for what a killed run needs; it stays, for the caller to remove once the rows are safe.
    """
    faces = _Faces.of(table, crops)
    state = State.open(Path(into), _identity(plan, faces), resume=True)
    _learn(faces, plan, state, on_epoch=on_epoch)
    return state.rows


def speed(history: "pd.DataFrame") -> str:
    """How many images a second the last stage of a training saw, and what held it up, in words.

    The first epoch of a stage, which TensorFlow begins by compiling, counts only if it is alone.
    """
    rows = history[history["stage"] == history["stage"].iloc[-1]]
    rows = rows.iloc[1:] if len(rows) > 1 else rows
    rate, busy = float(rows["images_per_s"].median()), float(rows["making_crops"].median())
    limit = "making the crops, in one thread," if busy > 0.9 else "the network"
    return f"{rate:.0f} images/s; {100 * busy:.0f} % of the time crops were being made: {limit} sets the pace"


@dataclass(frozen=True)
class _Faces:
    """The crops and answers of both sides, and the classes that are there."""

    classes: tuple[str, ...]
    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, table: "pd.DataFrame", crops: np.ndarray) -> "_Faces":
        if len(table) != len(crops):
            raise ValueError(f"crops: must be one a row, got {len(crops)} for {len(table)} rows")
        split, labels = table["split"].to_numpy(str), table["label"].to_numpy(str)
        present = tuple(c for c in (*NAMES, NOT_A_FACE) if (labels[split == "train"] == c).any())
        if len(present) < 2:
            raise ValueError(f"training needs faces of at least two classes, got {', '.join(present) or 'none'}")
        index = np.array([present.index(c) if c in present else -1 for c in labels])
        train, validation = (np.flatnonzero((split == s) & (index >= 0)) for s in ("train", "validation"))
        if not len(validation):
            raise ValueError("split: no face is in validation; call dataset.split with a share for it")
        return cls(present, (crops[train], index[train]), (crops[validation], index[validation]))


def _identity(plan: Plan, faces: _Faces) -> str:
    """What must be the same for a run to go on: the plan and the training data."""
    crops, labels = faces.train
    sample = crops[:: max(1, len(crops) // 64)].tobytes() + labels.tobytes() + faces.validation[1].tobytes()
    return images.sha256((json.dumps(dataclasses.asdict(plan)) + images.sha256(sample)).encode())


def _learn(
    faces: _Faces,
    plan: Plan,
    state: State,
    *,
    on_epoch: Callable[[dict[str, Any]], None] | None,
    logdir: str | Path | None = None,
    strategy: Any = None,
) -> "keras.Model":
    """The network after its last epoch; the weights of the best are in state.weights, if any epoch had a loss."""
    epochs, done = plan.epochs_head + plan.epochs_all, len(state.rows)
    with _scope(strategy):
        network = model.load(state.last(done - 1)) if done else _build(plan, len(faces.classes))
    targets, seen = _targets(faces, plan), _seen(faces, plan)
    with board(logdir) as note:
        for epoch in range(done, done if state.stopped else epochs):
            stage = "head" if epoch < plan.epochs_head else "all"
            if epoch in (0, plan.epochs_head):
                with _scope(strategy):
                    _compile(network, plan, stage, steps=max(1, len(targets[0]) // plan.batch))
            row: dict[str, Any] = {"epoch": epoch + 1, "stage": stage} | _epoch(
                network, faces, targets, plan=plan, epoch=epoch
            )
            row |= _validate(network, seen, faces)
            late = stage == "all" and epoch - state.best_epoch >= plan.patience and not row["val_loss"] < state.best
            state.stopped = late and (state.best_epoch < 0 or state.rows[state.best_epoch]["stage"] == "all")
            state.save(network, row, stage=stage)
            log.info("%s", ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
            note(row)
            if on_epoch is not None:
                on_epoch(row)
            if state.stopped:
                break
    return network


def _epoch(
    network: "keras.Model", faces: _Faces, targets: tuple[np.ndarray, np.ndarray], *, plan: Plan, epoch: int
) -> dict[str, Any]:
    """Show every crop once: loss, accuracy, seconds, images a second, and the share of time that crops were made in."""
    for layer in network.layers:  # the saved model forgets where its dropout stood: it starts anew each epoch
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign([plan.seed, epoch])
    shown = batches(faces.train[0], *targets, plan=plan, epoch=epoch)
    began = time.monotonic()
    with model.quiet():
        result = network.fit(shown, epochs=epoch + 1, initial_epoch=epoch, shuffle=False, verbose=0).history
    seconds = max(time.monotonic() - began, 1e-3)
    return {
        "loss": result["loss"][-1],
        "accuracy": result["accuracy"][-1],
        "seconds": round(seconds, 1),
        "images_per_s": round(min(len(shown) * plan.batch, len(targets[0])) / seconds, 1),
        "making_crops": round(min(shown.busy / seconds, 1.0), 2),
    }


def _scope(strategy: Any) -> contextlib.AbstractContextManager:
    """Where variables are made: on every device of a strategy; on all GPUs where there are several."""
    import tensorflow as tf

    if strategy is None and len(tf.config.list_physical_devices("GPU")) > 1:
        strategy = tf.distribute.MirroredStrategy()
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def _build(plan: Plan, classes: int) -> "keras.Model":
    if plan.network == "tutorial_cnn":
        with model.precision(half=plan.half):
            return model.tutorial_cnn(classes=classes, size=plan.size, seed=plan.seed)
    how: dict[str, Any] = {"alpha": plan.alpha, "weights": plan.weights, "seed": plan.seed}
    with model.precision(half=plan.half):
        return model.mobilenet_v2(classes=classes, size=None if plan.sizes else plan.size, **how)


def _plain(network: "keras.Model", plan: Plan, faces: _Faces) -> "keras.Model":
    """The network as it ships: of one input size, in 32 bits, and outside any strategy."""
    ready = _build(dataclasses.replace(plan, sizes=(), half=False, weights=None), len(faces.classes))
    ready.set_weights(network.get_weights())
    return ready


def _compile(network: "keras.Model", plan: Plan, stage: str, *, steps: int) -> None:
    import keras

    model.free(network, blocks=0 if stage == "head" else plan.blocks)
    epochs, rate = (plan.epochs_head, plan.rate_head) if stage == "head" else (plan.epochs_all, plan.rate_all)
    total = max(2, epochs * steps)
    warm = min(total // 10, 300)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate * 0.05, total - warm, alpha=0.01, warmup_target=rate, warmup_steps=warm
    )
    # Keras puts the running mean in the weights' place whenever `fit` ends: here after every epoch.
    mean = {"use_ema": True, "ema_momentum": plan.average} if plan.average else {}
    optimizer = keras.optimizers.Adam(schedule, clipnorm=5.0, **mean)
    network.compile(
        optimizer=keras.optimizers.LossScaleOptimizer(optimizer) if plan.half else optimizer,
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=plan.smoothing),
        weighted_metrics=[],
        metrics=["accuracy"],
        jit_compile=_accelerated(),
    )


def _accelerated() -> bool:
    """XLA pays on a GPU alone: on two CPU cores it trained at a third of the speed."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _targets(faces: _Faces, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """One-hot answers, and weights of mean 1 that lift rare classes by the plan's balance."""
    labels = faces.train[1]
    counts = np.bincount(labels, minlength=len(faces.classes))
    weight = (counts.max() / counts.clip(1)) ** plan.balance
    each = weight[labels]
    return np.eye(len(faces.classes), dtype=np.float32)[labels], (each / each.mean()).astype(np.float32)


def _seen(faces: _Faces, plan: Plan) -> np.ndarray:
    """What validation looks at: every crop as it is, then every crop as a small face."""
    wide = faces.validation[0]
    plain = view(wide, size=plan.size, margin=plan.margin)
    return np.concatenate([plain, small_view(wide, size=plan.size, margin=plan.margin)])


def _validate(network: "keras.Model", seen: np.ndarray, faces: _Faces) -> dict[str, float]:
    """Negative log-likelihood over all faces (weighed by class it would follow the rarest alone), and recalls."""
    with model.quiet():  # of many networks in one process TensorFlow says that it traces anew
        answers = network.predict(seen, batch_size=128, verbose=0)
    labels = np.tile(faces.validation[1], 2)
    there = [c for c in range(len(faces.classes)) if (labels == c).any()]
    result = {"val_loss": -float(np.log(answers[np.arange(len(labels)), labels] + EPSILON).mean())}
    recall = {c: float((answers.argmax(1)[labels == c] == c).mean()) for c in there}
    result["val_balanced"] = float(np.mean([recall[c] for c in there if faces.classes[c] in NAMES[:2]] or [0]))
    return result | {f"val_recall_{faces.classes[c]}": recall[c] for c in there}


def _finish(
    network: "keras.Model",
    faces: _Faces,
    plan: Plan,
    state: State,
    *,
    into: Path,
    name: str,
    facts: dict[str, Any],
    float16: bool,
) -> Run:
    """Export, tune and measure on validation, write card and log."""
    import pandas as pd

    picked = np.random.default_rng(plan.seed).permutation(len(faces.train[0]))[:300]
    calibration = view(faces.train[0][picked], size=plan.size, margin=plan.margin)
    small = small_view(faces.train[0][picked[:100]], size=plan.size, margin=plan.margin)
    paths = model.export(network, into, name, calibration=np.concatenate([calibration, small]), float16=float16)
    seen, labels = _seen(faces, plan), np.tile(faces.validation[1], 2)
    exact = network.predict(seen, batch_size=128, verbose=0)
    small_answers = model.probabilities(paths["tflite"], seen)
    tuned = tune(small_answers, labels, worn=plan.worn, classes=faces.classes)
    report = measures(small_answers, labels, classes=faces.classes, tuned=tuned)
    report["best_epoch"] = state.best_epoch + 1
    report["int8_agrees"] = round(float((small_answers.argmax(1) == exact.argmax(1)).mean()), 4)
    report["accuracy_float"] = round(float((exact.argmax(1) == labels).mean()), 4)
    report["accuracy_int8"] = round(float((small_answers.argmax(1) == labels).mean()), 4)
    history = pd.DataFrame(state.rows)
    paths["log"] = images.write(into / f"{name}.csv", history.to_csv(index=False))
    known = {"network": plan.network, "alpha": plan.alpha, "input_size": plan.size, "margin": plan.margin} | tuned
    known |= {"plan": dataclasses.asdict(plan) | {"sizes": list(plan.sizes)}, "measures": {"validation": report}}
    files = {kind: path for kind, path in paths.items() if kind != "log"}
    card = model.card(files, name=name, classes=faces.classes, **known | facts)
    paths["card"] = into / f"{name}.json"
    return Run(history, paths, card)
