"""Fit a network to a table of faces: crops in memory, changed anew each time they are shown; killed runs go on."""

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
from .crops import WIDE, augment, small_view, view
from .tuning import measures, tune

if TYPE_CHECKING:
    import keras
    import pandas as pd

__all__ = ["QUICK", "Plan", "Run", "fit"]

log = logging.getLogger(__name__)
EPSILON = 1e-7


@dataclass(frozen=True)
class Plan:
    """How to train: the network, how long, how fast, and how crops are changed before they are shown."""

    network: str = "mobilenet_v2"  # or "tutorial_cnn"
    size: int = 96
    alpha: float = 1.0
    margin: float = 0.25
    weights: str | None = "imagenet"
    epochs_head: int = 3
    epochs_all: int = 12
    blocks: int | None = None  # how many of the last blocks learn in the second stage; None is all
    batch: int = 32
    rate_head: float = 1e-3
    rate_all: float = 2e-4
    smoothing: float = 0.05
    balance: float = 0.5  # 0: every face counts alike, 1: every class does
    patience: int = 5  # epochs of the second stage without a better validation loss
    shrink: float = 0.7  # share of crops shown at a lower resolution
    worn: float | None = None  # share of faces worn incorrectly where the model is used; None: as in validation
    seed: int = 0

    def __post_init__(self) -> None:
        if self.network not in ("mobilenet_v2", "tutorial_cnn"):
            raise ValueError(f"network: must be mobilenet_v2 or tutorial_cnn, got {self.network!r}")
        if self.epochs_head + self.epochs_all < 1:
            raise ValueError(f"epochs: must be at least 1, got {self.epochs_head} + {self.epochs_all}")
        if not 0 <= self.margin < WIDE:
            raise ValueError(f"margin: must be at least 0 and below {WIDE}, got {self.margin}")


QUICK = Plan(epochs_head=4, epochs_all=2, blocks=3, rate_head=2e-3, patience=2)  # some hundred crops, about a minute


@dataclass(frozen=True)
class Run:
    """What came of a training: the curves, the files by kind (keras, tflite, card, log) and the card itself."""

    history: "pd.DataFrame"
    paths: dict[str, Path]
    card: dict[str, Any]


def _batches(wide: np.ndarray, answers: np.ndarray, weights: np.ndarray, *, plan: Plan, epoch: int) -> Any:
    """One epoch of augmented batches, made in a thread beside the training; depends on seed and epoch alone."""
    import keras

    order = np.random.default_rng([plan.seed, epoch]).permutation(len(wide))
    count = max(1, len(wide) // plan.batch)

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return count

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            rows = order[index * plan.batch : (index + 1) * plan.batch]
            shown = [
                augment(
                    wide[r],
                    rng=np.random.default_rng([plan.seed, epoch, int(r)]),
                    size=plan.size,
                    margin=plan.margin,
                    shrink=plan.shrink,
                )
                for r in rows
            ]
            return np.stack(shown), answers[rows], weights[rows]

    return Batches(workers=1, use_multiprocessing=False, max_queue_size=12)


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
    **changes: Any,
) -> Run:
    """Train on the rows of split 'train', choose by 'validation', and write NAME.keras, .tflite, .json and .csv.

    crops: uint8 (n, s, s, 3) of the table's rows, cut with margin `WIDE` at `wide_size(plan.size)`. The head learns
    first, then the backbone with a falling rate; the epoch with the best validation loss stays. Temperature, bias and
    threshold are tuned on validation. resume: go on where the same run was killed. changes: fields of the plan.
    facts: for the card (data, split, limits, command). Raises ValueError for fewer than two classes.
    """
    plan = dataclasses.replace(plan or Plan(), **changes)
    into = Path(into)
    faces = _Faces.of(table, crops)
    state = _State.open(into / f".{name}", _identity(plan, faces), resume=resume)
    started = time.monotonic()
    network = _learn(faces, plan, state, on_epoch=on_epoch)
    log.info("%s: trained in %.0f s", name, time.monotonic() - started)
    run = _finish(network, faces, plan, state, into=into, name=name, facts=facts or {})
    state.done()
    return run


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


@dataclass
class _State:
    """Where a run stands on disk: the last epoch's model with its optimiser, the best weights, the log."""

    folder: Path
    identity: str
    rows: list[dict[str, Any]]
    best: float = np.inf
    best_epoch: int = -1
    stopped: bool = False

    @classmethod
    def open(cls, folder: Path, identity: str, *, resume: bool) -> "_State":
        fresh = cls(folder, identity, [])
        path = folder / "state.json"
        if resume and path.is_file():
            kept = json.loads(path.read_text())
            if kept["identity"] == identity:
                log.info("%s: going on after epoch %d", folder.name[1:], len(kept["rows"]))
                return cls(folder, identity, kept["rows"], kept["best"], kept["best_epoch"], kept["stopped"])
            log.info("%s: plan or data changed, starting anew", folder.name[1:])
        folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return fresh

    def last(self, epoch: int) -> Path:
        return self.folder / f"last-{epoch % 2}.keras"

    @property
    def weights(self) -> Path:
        return self.folder / "best.weights.h5"

    def save(self, network: "keras.Model", row: dict[str, Any], *, stage: str) -> None:
        """Keep an epoch: files first, then the state that names them, so that a kill between loses one epoch."""
        with model.quiet():
            network.save(self.last(len(self.rows)))
            if stage == "all" and self.best_epoch >= 0 and self.rows[self.best_epoch]["stage"] == "head":
                self.best = np.inf  # the second stage competes with itself alone: its loss starts elsewhere
            if row["val_loss"] < self.best:
                self.best, self.best_epoch = row["val_loss"], len(self.rows)
                network.save_weights(self.weights)
        self.rows.append(row)
        kept = {k: getattr(self, k) for k in ("identity", "rows", "best", "best_epoch", "stopped")}
        images.write(self.folder / "state.json", json.dumps(kept))

    def done(self) -> None:
        """Remove what only a killed run needs."""
        for path in (self.last(0), self.last(1), self.weights, self.folder / "state.json"):
            path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def _learn(
    faces: _Faces, plan: Plan, state: _State, *, on_epoch: Callable[[dict[str, Any]], None] | None
) -> "keras.Model":
    epochs = plan.epochs_head + plan.epochs_all
    done = len(state.rows)
    network = model.load(state.last(done - 1)) if done else _build(plan, len(faces.classes))
    answers, weights = _targets(faces, plan)
    seen = _seen(faces, plan)
    for epoch in range(done, done if state.stopped else epochs):
        stage = "head" if epoch < plan.epochs_head else "all"
        if epoch in (0, plan.epochs_head):
            _compile(network, plan, stage, steps=max(1, len(answers) // plan.batch))
        began = time.monotonic()
        batches = _batches(faces.train[0], answers, weights, plan=plan, epoch=epoch)
        with model.quiet():
            result = network.fit(batches, epochs=epoch + 1, initial_epoch=epoch, shuffle=False, verbose=0).history
        row = {"epoch": epoch + 1, "stage": stage, "loss": result["loss"][-1], "accuracy": result["accuracy"][-1]}
        row |= {"seconds": round(time.monotonic() - began, 1)} | _validate(network, seen, faces)
        late = stage == "all" and epoch - state.best_epoch >= plan.patience and row["val_loss"] >= state.best
        state.stopped = late and state.rows[state.best_epoch]["stage"] == "all"
        state.save(network, row, stage=stage)
        log.info("%s", ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
        if on_epoch is not None:
            on_epoch(row)
        if state.stopped:
            break
    network.load_weights(state.weights)
    return network


def _build(plan: Plan, classes: int) -> "keras.Model":
    if plan.network == "tutorial_cnn":
        return model.tutorial_cnn(classes=classes, size=plan.size, seed=plan.seed)
    return model.mobilenet_v2(classes=classes, alpha=plan.alpha, size=plan.size, weights=plan.weights, seed=plan.seed)


def _compile(network: "keras.Model", plan: Plan, stage: str, *, steps: int) -> None:
    import keras

    model.free(network, blocks=0 if stage == "head" else plan.blocks)
    epochs, rate = (plan.epochs_head, plan.rate_head) if stage == "head" else (plan.epochs_all, plan.rate_all)
    total = max(2, epochs * steps)
    warm = min(total // 10, 300)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate * 0.05, total - warm, alpha=0.01, warmup_target=rate, warmup_steps=warm
    )
    network.compile(
        optimizer=keras.optimizers.Adam(schedule, clipnorm=5.0),
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
    answers = network.predict(seen, batch_size=128, verbose=0)
    labels = np.tile(faces.validation[1], 2)
    there = [c for c in range(len(faces.classes)) if (labels == c).any()]
    result = {"val_loss": -float(np.log(answers[np.arange(len(labels)), labels] + EPSILON).mean())}
    recall = {c: float((answers.argmax(1)[labels == c] == c).mean()) for c in there}
    result["val_balanced"] = float(np.mean([recall[c] for c in there if faces.classes[c] in NAMES[:2]] or [0]))
    return result | {f"val_recall_{faces.classes[c]}": recall[c] for c in there}


def _finish(
    network: "keras.Model", faces: _Faces, plan: Plan, state: _State, *, into: Path, name: str, facts: dict[str, Any]
) -> Run:
    """Export, tune and measure on validation, write card and log."""
    import pandas as pd

    picked = np.random.default_rng(plan.seed).permutation(len(faces.train[0]))[:300]
    calibration = view(faces.train[0][picked], size=plan.size, margin=plan.margin)
    small = small_view(faces.train[0][picked[:100]], size=plan.size, margin=plan.margin)
    paths = model.export(network, into, name, calibration=np.concatenate([calibration, small]))
    seen, labels = _seen(faces, plan), np.tile(faces.validation[1], 2)
    exact = network.predict(seen, batch_size=128, verbose=0)
    small_answers = model.probabilities(paths["tflite"], seen)
    tuned = tune(small_answers, labels, worn=plan.worn)
    report = measures(small_answers, labels, classes=faces.classes, tuned=tuned)
    report["best_epoch"] = state.best_epoch + 1
    report["int8_agrees"] = round(float((small_answers.argmax(1) == exact.argmax(1)).mean()), 4)
    report["accuracy_float"] = round(float((exact.argmax(1) == labels).mean()), 4)
    report["accuracy_int8"] = round(float((small_answers.argmax(1) == labels).mean()), 4)
    history = pd.DataFrame(state.rows)
    paths["log"] = images.write(into / f"{name}.csv", history.to_csv(index=False))
    known = {"network": plan.network, "alpha": plan.alpha, "input_size": plan.size, "margin": plan.margin} | tuned
    known |= {"plan": dataclasses.asdict(plan), "measures": {"validation": report}}
    files = {kind: paths[kind] for kind in ("tflite", "keras")}
    card = model.card(files, name=name, classes=faces.classes, **known | facts)
    paths["card"] = into / f"{name}.json"
    return Run(history, paths, card)
