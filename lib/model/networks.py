"""The networks, and how they leave the house: a Keras file, a LiteRT file and a card that says what they are.

Every network takes rgb crops of 0–255 (the normalisation is inside the graph) and answers with softmax probabilities in
the order of its card's classes. This room and `train` are the only doors to TensorFlow.
"""

import contextlib
import io
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets, files, images
from ..classes import NAMES

if TYPE_CHECKING:
    import keras

__all__ = [
    "backbone",
    "card",
    "export",
    "free",
    "load",
    "mobilenet_v2",
    "precision",
    "probabilities",
    "quiet",
    "tutorial_cnn",
]

log = logging.getLogger(__name__)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the first import of TensorFlow; it talks a lot

BACKBONE = "backbone"  # name of the layer that holds MobileNetV2
SHIPPED = "full"  # whose backbone stands in where ImageNet weights cannot be had
FINDER = {"name": "both", "max_side": 1280}


def mobilenet_v2(
    *,
    classes: int = len(NAMES),
    alpha: float = 1.0,
    size: int | None = 96,
    weights: str | Path | None = "imagenet",
    dropout: float = 0.2,
    seed: int = 0,
) -> "keras.Model":
    """MobileNetV2 with a new head: (n, size, size, 3) of 0–255 → (n, classes) softmax.

    size None takes any multiple of 32, to train with; what ships has one size. weights: "imagenet", "shipped" (the
    backbone of our own model), a path (.h5 without top, or a .keras of ours), or None for chance. Where ImageNet
    weights cannot be had, the shipped backbone stands in, and a warning says so. It comes frozen; `free` lets it learn,
    but for batch normalisation, which one of the known files has folded away. Sandler et al. 2018, arXiv 1801.04381.
    """
    keras = _keras()
    source = _weights(weights, alpha)
    legacy = str(source) if source is not None and source.suffix == ".h5" else None
    inside = keras.applications.MobileNetV2(
        include_top=False, weights=legacy, alpha=alpha, input_shape=(size, size, 3), pooling="avg", name=BACKBONE
    )
    if source is None:
        _by_chance(inside, seed)
    elif legacy is None:
        _take_over(inside, source, alpha)
    rgb = keras.Input((size, size, 3), name="rgb")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(rgb)
    x = keras.layers.Dropout(dropout, seed=seed, name="dropout")(inside(x, training=False))
    start = keras.initializers.GlorotUniform(seed=seed)
    answer = keras.layers.Dense(
        classes, activation="softmax", kernel_initializer=start, name="answer", dtype="float32"
    )(x)
    model = keras.Model(rgb, answer, name="mobilenet_v2")
    free(model, blocks=0)
    return model


def tutorial_cnn(*, classes: int = len(NAMES), size: int = 96, dropout: float = 0.5, seed: int = 0) -> "keras.Model":
    """The plain network of many old tutorials, as a baseline: two convolutions, one pooling, one wide layer.

    Nearly all its parameters sit between the flattened picture and 128 units: 17 million at 96 px, 99 at 224.
    """
    keras = _keras()
    layers = keras.layers
    start = {"kernel_initializer": keras.initializers.GlorotUniform(seed=seed)}
    return keras.Sequential(
        [
            keras.Input((size, size, 3), name="rgb"),
            layers.Rescaling(1 / 255, name="normalise"),
            layers.Conv2D(32, 3, activation="relu", **start),
            layers.Conv2D(64, 3, activation="relu", **start),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(dropout, seed=seed),
            layers.Dense(128, activation="relu", **start),
            layers.Dense(classes, activation="softmax", name="answer", dtype="float32", **start),
        ],
        name="tutorial_cnn",
    )


def _keras() -> Any:
    """Keras, imported without the remarks that TensorFlow makes on starting."""
    first = "tensorflow" not in sys.modules
    with quiet(deep=first):
        import keras
        import tensorflow

        if first:
            tensorflow.config.list_physical_devices()  # looks for a GPU now, and complains now
    return keras


@contextlib.contextmanager
def precision(*, half: bool) -> Iterator[None]:
    """Networks built in here count in 16 bits where that is safe, if half; their weights and answers keep 32."""
    config = _keras().config
    before = config.dtype_policy()
    config.set_dtype_policy("mixed_float16" if half else "float32")
    try:
        yield
    finally:
        config.set_dtype_policy(before)


def backbone(model: "keras.Model") -> "keras.Model | None":
    """The pretrained part of a network of ours, or None where it has none (the tutorial's)."""
    return next((layer for layer in model.layers if layer.name == BACKBONE), None)


def free(model: "keras.Model", *, blocks: int | None) -> int:
    """Let the last blocks of the backbone learn: 0 freezes it, None frees all. Returns the count of trained parameters.

    A block is one inverted residual of MobileNetV2's 17; its last convolution goes with the first block freed. Batch
    normalisation is never freed: Keras 3 lets an outer model's training=True reach it through training=False, and only
    a frozen layer keeps its statistics. The model has to be compiled again afterwards.
    """
    keras = _keras()
    inside = backbone(model)
    if inside is not None:
        inside.trainable = blocks is None or blocks > 0
        first = () if blocks is None else (f"block_{max(17 - blocks, 1)}_", "Conv_1")
        learning = not first
        for layer in inside.layers:
            learning = learning or (inside.trainable and layer.name.startswith(first))
            layer.trainable = learning and not isinstance(layer, keras.layers.BatchNormalization)
    return int(sum(np.prod(w.shape) for w in model.trainable_weights))


def _weights(weights: str | Path | None, alpha: float) -> Path | None:
    """The file to start from, or None; "imagenet" falls back to the shipped model, and says so."""
    if weights is None:
        return None
    if weights == "shipped":
        return shipped()
    if weights != "imagenet":
        if not Path(weights).is_file():
            raise FileNotFoundError(f'weights: no file {weights}; give a path, "imagenet", "shipped" or None')
        return Path(weights)
    name = f"mobilenet_v2_{alpha:g}" if alpha != 1 else "mobilenet_v2_1.0"
    if name not in assets.ASSETS:
        known = ", ".join(sorted(n.removeprefix("mobilenet_v2_") for n in assets.ASSETS if n.startswith("mobilenet")))
        raise ValueError(f"alpha: ImageNet weights are known for {known}, got {alpha:g}; or give weights=None")
    try:
        return assets.find(name)
    except assets.AssetMissing as trouble:
        try:
            found = shipped()
        except assets.AssetMissing:
            raise trouble from None
        log.warning("no ImageNet weights (%s); starting from the backbone of the shipped model instead", trouble)
        return found


def shipped(name: str = SHIPPED) -> Path:
    """The .keras file of a shipped model. Raises assets.AssetMissing."""
    path = assets.model(name).with_suffix(".keras")
    if not path.is_file():
        raise assets.AssetMissing(f"model: {path.name} is not beside its card in {path.parent}")
    return path


def _by_chance(inside: "keras.Model", seed: int) -> None:
    """Draw the kernels by seed: Keras's own application would draw others in every process and every model."""
    start = _keras().initializers.GlorotUniform
    drawn = [
        np.asarray(start(seed=seed + i)(w.shape)) if w.ndim == 4 else w for i, w in enumerate(inside.get_weights())
    ]
    inside.set_weights(drawn)


def _take_over(inside: "keras.Model", path: Path, alpha: float) -> None:
    source = backbone(load(path))
    if source is None:
        raise ValueError(f"weights: {path.name} holds no MobileNetV2 backbone")
    mine, theirs = inside.get_weights(), source.get_weights()
    if [w.shape for w in mine] != [w.shape for w in theirs]:
        raise ValueError(f"alpha: {path.name} has a backbone of another width than alpha {alpha:g}")
    inside.set_weights(theirs)


def load(path: str | Path) -> "keras.Model":
    """Read a .keras file of ours, ready to predict or to go on learning."""
    keras = _keras()
    return keras.models.load_model(path)


def export(
    model: "keras.Model", folder: str | Path, name: str, *, calibration: np.ndarray, float16: bool = False
) -> dict[str, Path]:
    """Write NAME.keras (without the optimiser's state) and NAME.tflite (int8 inside, uint8 in, float out).

    calibration: some hundred real crops as the network will see them, uint8 (n, size, size, 3); drawn ones would set
    wrong ranges, which costs MobileNetV2 many points. float16 also writes NAME-float16.tflite, which takes floats.
    Returns the paths by kind: keras, tflite, float16.
    """
    keras = _keras()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not len(calibration):
        raise ValueError("calibration: needs at least one real crop, got none")
    bare = keras.Model(model.inputs, model.outputs, name=model.name)
    paths = {"keras": folder / f"{name}.keras", "tflite": folder / f"{name}.tflite"}
    with quiet(deep=True):
        bare.save(paths["keras"])
        images.write(paths["tflite"], _int8(bare, calibration))
        if float16:
            paths["float16"] = images.write(folder / f"{name}-float16.tflite", _float16(bare))
    return paths


def _int8(model: "keras.Model", calibration: np.ndarray) -> bytes:
    """All but the last softmax in integers: its input keeps its steps, so that small probabilities stay apart."""
    import tensorflow as tf
    from tensorflow.lite.python.util import modify_model_io_type

    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.representative_dataset = _samples(calibration)
    debug = tf.lite.experimental
    options = debug.QuantizationDebugOptions(denylisted_ops=["SOFTMAX"])
    debugger = debug.QuantizationDebugger(
        converter=converter, debug_dataset=_samples(calibration), debug_options=options
    )
    return bytes(modify_model_io_type(debugger.get_nondebug_quantized_model(), tf.uint8, tf.float32))


def _samples(calibration: np.ndarray) -> Callable[[], Iterator[list[np.ndarray]]]:
    def samples() -> Iterator[list[np.ndarray]]:
        full = calibration[0].astype(np.float32)
        full[0, 0], full[0, 1] = 0, 255  # the range of the input is known: one step a grey level
        yield [full[None]]
        for crop in calibration:
            yield [crop[None].astype(np.float32)]

    return samples


def _float16(model: "keras.Model") -> bytes:
    import tensorflow as tf

    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def _converter(model: "keras.Model") -> Any:
    import tensorflow as tf

    return tf.lite.TFLiteConverter.from_keras_model(model)


def probabilities(
    path: str | Path, crops: np.ndarray, *, threads: int | None = None, progress: Callable | None = None
) -> np.ndarray:
    """Answers (n, classes) of an exported .tflite for crops uint8 (n, size, size, 3): to check an export by."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet(deep=True):
        interpreter = Interpreter(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()
    (entry,), (leave,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for crop in progress(crops) if progress else crops:
        interpreter.set_tensor(entry["index"], crop[None].astype(entry["dtype"]))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(leave["index"])[0].copy())
    return np.array(rows, np.float32).reshape(len(rows), -1)


def card(paths: dict[str, Path], *, name: str, classes: tuple[str, ...] = NAMES, **facts: Any) -> dict[str, Any]:
    """Write NAME.json beside a model's files: everything that whoever uses it has to know. Returns what it wrote.

    facts stand over the defaults: network, alpha, input_size, margin, temperature, bias, unsure_below, finder, data,
    split, measures, limits, command.
    """
    content: dict[str, Any] = {
        "name": name,
        "created": time.strftime("%Y-%m-%d"),
        "network": "mobilenet_v2",
        "alpha": 1.0,
        "classes": list(classes),
        "input_size": 96,
        "margin": 0.25,
        "temperature": 1.0,
        "bias": [0.0] * len(classes),
        "unsure_below": 0.6,
        "finder": FINDER,
        "files": {kind: _file(path) for kind, path in paths.items()},
    }
    content |= {"data": [], "split": {}, "measures": {}, "limits": [], "command": ""} | facts
    images.write(
        next(iter(paths.values())).with_name(f"{name}.json"), json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    )
    return content


def _file(path: Path) -> dict[str, Any]:
    return {"file": path.name, "sha256": images.sha256(path), "bytes": path.stat().st_size}


@contextlib.contextmanager
def quiet(*, deep: bool = False) -> Iterator[None]:
    """Keep the converter's and Keras's chatter off the page; errors still come through.

    deep: also what C++ writes past Python, for the whole process; for the start of TensorFlow and for conversions.
    """
    talkers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    levels = [talker.level for talker in talkers]
    with contextlib.ExitStack() as until:
        until.enter_context(warnings.catch_warnings())
        until.enter_context(contextlib.redirect_stdout(io.StringIO()))
        if deep:
            nowhere = until.enter_context(Path(os.devnull).open("wb"))
            until.enter_context(files.aside(nowhere.fileno(), numbers=(1, 2)))
        warnings.simplefilter("ignore")
        for talker in talkers:
            talker.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for talker, level in zip(talkers, levels, strict=True):
                talker.setLevel(level)
