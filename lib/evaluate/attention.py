"""Where a network looks: Grad-CAM (Selvaraju 2017, arXiv 1610.02391). TensorFlow is loaded inside the function only."""

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import keras

__all__ = ["attention"]

LAYER = "block_13_expand_relu"  # the last with a grid fine enough to point at something: 6 × 6 at 96 px


def attention(model: "keras.Model", crops: np.ndarray, *, layer: str = LAYER, strength: float = 0.5) -> np.ndarray:
    """The crops (n, s, s, 3) with a warm glow on what speaks for the network's own answer: rgb, same shape.

    model: a network of ours (a Keras file read by `model.load`), whose backbone has the named layer. A glow on the
    mask or on nose and mouth is what one hopes for; a glow on hair, background or border is a shortcut at work.
    """
    import keras
    import tensorflow as tf

    if not len(crops):
        return crops.copy()
    inside = next((part for part in model.layers if hasattr(part, "layers")), None)
    if inside is None:
        raise ValueError("model: attention needs a network with a backbone, such as mobilenet_v2")
    place = model.layers.index(inside)
    below = keras.Model(inside.inputs, inside.get_layer(layer).output)
    above = keras.Model(inside.get_layer(layer).output, inside.outputs[0])
    x = tf.convert_to_tensor(crops, tf.float32)
    for before in model.layers[1:place]:
        x = before(x)
    grid = below(x, training=False)
    with tf.GradientTape() as tape:
        tape.watch(grid)
        answer = above(grid, training=False)
        for after in model.layers[place + 1 :]:
            answer = after(answer, training=False)
        top = tf.reduce_max(tf.math.log(answer + 1e-7), axis=1)
    weight = tf.reduce_mean(tape.gradient(top, grid), axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weight * grid, axis=-1)).numpy()
    return np.stack([_glow(crop, h, strength) for crop, h in zip(crops, heat, strict=True)])


def _glow(crop: np.ndarray, heat: np.ndarray, strength: float) -> np.ndarray:
    h, w = crop.shape[:2]
    large = cv2.resize(heat / max(float(heat.max()), 1e-9), (w, h), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    colour = cv2.cvtColor(cv2.applyColorMap((large * 255).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    share = strength * large[..., None]
    return (crop * (1 - share) + colour * share).round().astype(np.uint8)
