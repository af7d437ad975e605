"""The one-look network: a photo → for every cell whether a face is there, where its edges are, and its class."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import cells, images
from ..classes import NAMES
from .networks import BACKBONE, _by_chance, _converter, _float16, _keras, _samples, _take_over, _weights, free, quiet

if TYPE_CHECKING:
    import keras

__all__ = ["export_one_look", "one_look"]

TAPS = ("block_6_expand_relu", "block_13_expand_relu", "block_16_project_BN")  # at strides 8, 16, 32
OUTPUTS = ("face", "box", "answer")  # 1, 4 and a logit a class for each cell, as `cells` has them
RARE = -4.0  # the first logit of a face: nearly every cell has none


def one_look(
    *,
    shape: tuple[int, int] = (416, 416),
    alpha: float = 0.35,
    width: int = 64,
    weights: str | Path | None = "imagenet",
    classes: int = len(NAMES),
    seed: int = 0,
) -> "keras.Model":
    """Our single-shot detector: rgb (n, h, w, 3) of 0–255 → (n, cells, 5 + classes), the three `OUTPUTS` side by side.

    MobileNetV2 as far as its last block, a feature pyramid of `width` channels (Lin et al. 2017, arXiv 1612.03144) and
    heads without anchors (Tian et al. 2019, arXiv 1904.01355), one a stride of `cells.STRIDES`. weights as for
    `mobilenet_v2`. The weights are the same at every shape. All learns but the backbone's batch normalisation.
    """
    keras = _keras()
    count = len(cells.points(shape))
    inside = _backbone(keras, shape, alpha, weights, seed)
    rgb = keras.Input((*shape, 3), name="rgb")
    taps = inside(keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(rgb), training=False)
    build = _Build(keras, width, seed)
    heads: dict[str, list[Any]] = {name: [] for name in OUTPUTS}
    for stride, x in zip(cells.STRIDES, build.pyramid(taps), strict=True):
        where = build.separable(build.separable(x, f"where_a{stride}"), f"where_b{stride}")
        what = build.separable(build.separable(x, f"what_a{stride}"), f"what_b{stride}")
        heads["face"].append(build.head(where, 1, f"face_{stride}", bias=RARE))
        heads["box"].append(build.head(where, 4, f"box_{stride}", bias=0.7))
        heads["answer"].append(build.head(what, classes, f"answer_{stride}", bias=0.0))
    joined = [keras.layers.Concatenate(axis=1, name=name)(parts) for name, parts in heads.items()]
    model = keras.Model(rgb, keras.layers.Concatenate(axis=2, name="cells")(joined), name="one_look")
    assert model.output_shape[1] == count
    free(model, blocks=None)
    return model


def _backbone(keras: Any, shape: tuple[int, int], alpha: float, weights: str | Path | None, seed: int) -> Any:
    source = _weights(weights, alpha)
    legacy = str(source) if source is not None and source.suffix == ".h5" else None
    with quiet():  # Keras remarks that its weights were learnt at another size
        whole = keras.applications.MobileNetV2(
            include_top=False, weights=legacy, alpha=alpha, input_shape=(*shape, 3), name=BACKBONE
        )
    if source is None:
        _by_chance(whole, seed)
    elif legacy is None:
        _take_over(whole, source, alpha)
    return keras.Model(whole.input, [whole.get_layer(name).output for name in TAPS], name=BACKBONE)


class _Build:
    """The parts of pyramid and heads, all with one start and one normalisation."""

    def __init__(self, keras: Any, width: int, seed: int) -> None:
        self.layers, self.width, self.keras = keras.layers, width, keras
        self.seeds = iter(np.random.SeedSequence(seed).generate_state(200).tolist())

    def _start(self) -> Any:
        return self.keras.initializers.HeNormal(seed=int(next(self.seeds)) % 2**31)

    def _finished(self, x: Any, name: str) -> Any:
        x = self.layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_norm")(x)
        return self.layers.ReLU(6.0, name=f"{name}_relu")(x)

    def separable(self, x: Any, name: str) -> Any:
        start = {"depthwise_initializer": self._start(), "pointwise_initializer": self._start()}
        convolved = self.layers.SeparableConv2D(self.width, 3, padding="same", use_bias=False, name=name, **start)(x)
        return self._finished(convolved, name)

    def pyramid(self, taps: list[Any]) -> list[Any]:
        """Each tap brought to one width, with what the coarser ones know added; finest first."""
        sides: list[Any] = []
        for stride, tap in reversed(list(zip(cells.STRIDES, taps, strict=True))):
            name = f"side_{stride}"
            start = {"kernel_initializer": self._start()}
            x = self._finished(self.layers.Conv2D(self.width, 1, use_bias=False, name=name, **start)(tap), name)
            if sides:
                above = self.layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_above")(sides[0])
                x = self.separable(self.layers.Add(name=f"{name}_sum")([x, above]), f"{name}_mix")
            sides.insert(0, x)
        return sides

    def head(self, x: Any, outputs: int, name: str, *, bias: float) -> Any:
        start = {"kernel_initializer": self.keras.initializers.RandomNormal(0, 0.01, seed=next(self.seeds) % 2**31)}
        first = self.keras.initializers.Constant(bias)
        x = self.layers.Conv2D(outputs, 1, name=name, bias_initializer=first, **start)(x)
        return self.layers.Reshape((x.shape[1] * x.shape[2], outputs), name=f"{name}_cells")(x)


def export_one_look(model: "keras.Model", folder: str | Path, name: str, *, calibration: np.ndarray) -> dict[str, Path]:
    """Write NAME.keras, NAME.tflite (int8 inside, uint8 in) and NAME-float16.tflite (floats in); answers are floats.

    calibration: some hundred real canvases, uint8 (n, h, w, 3). The two LiteRT files give the three `OUTPUTS` apart,
    so that each has its own steps. Returns the paths by kind: tflite, float16, keras.
    """
    keras = _keras()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not len(calibration):
        raise ValueError("calibration: needs at least one real canvas, got none")
    outputs = [model.get_layer(layer).output for layer in OUTPUTS]
    apart = keras.Model(model.inputs, outputs, name=model.name)
    paths = {"tflite": folder / f"{name}.tflite", "float16": folder / f"{name}-float16.tflite"}
    paths["keras"] = folder / f"{name}.keras"
    with quiet(deep=True):
        keras.Model(model.inputs, model.outputs, name=model.name).save(paths["keras"])
        images.write(paths["tflite"], _int8(apart, calibration))
        images.write(paths["float16"], _float16(apart))
    return paths


def _int8(model: "keras.Model", calibration: np.ndarray) -> bytes:
    import tensorflow as tf

    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = _samples(calibration)
    converter.inference_input_type = tf.uint8
    return bytes(converter.convert())
