"""What is asked of the cells: where faces are and how well they are boxed, their edges, and their class."""

from typing import Any

__all__ = ["loss"]

RARE = (1.0, 1.0, 2.0)  # what a face of each class counts for: few wear a mask wrongly
SMOOTH = 0.05
BOX, CLASS = 2.0, 1.0


def loss(truth: Any, said: Any) -> Any:
    """Loss of a batch: truth (n, cells, 6) as `targets` gives it, said (n, cells, 8) as the network does; a number.

    The face's logit learns how well its own box fits, 0 where no face is (quality focal loss, Li et al. 2020, arXiv
    2006.04388); the edges the generalised IoU (Rezatofighi et al. 2019, arXiv 1902.09630); the class cross-entropy, on
    cells of faces alone. Each is divided by the count of these cells.
    """
    from keras import ops

    known = ops.cast(truth[..., 5] > 0, "float32")
    face = ops.cast(truth[..., 4] >= 0, "float32") * known
    count = ops.maximum(ops.sum(face), 1.0)
    fit, general = _overlaps(truth[..., :4], ops.exp(ops.clip(said[..., 1:5], -6.0, 6.0)))
    quality = ops.stop_gradient(fit) * face
    logit = said[..., 0]
    entropy = ops.maximum(logit, 0.0) - logit * quality + ops.log1p(ops.exp(-ops.abs(logit)))
    focus = ops.square(ops.sigmoid(logit) - quality)
    classes = said.shape[-1] - 5
    right = ops.one_hot(ops.cast(ops.maximum(truth[..., 4], 0.0), "int32"), classes)
    weight = ops.sum(right * ops.convert_to_tensor(RARE[:classes], "float32"), axis=-1) * face
    spread = right * (1 - SMOOTH) + SMOOTH / classes
    wrong = -ops.sum(spread * ops.log_softmax(said[..., 5:], axis=-1), axis=-1)
    parts = entropy * focus * known + BOX * (1 - general) * face + CLASS * wrong * weight
    return ops.sum(parts) / count


def _overlaps(truth: Any, said: Any) -> tuple[Any, Any]:
    """IoU and generalised IoU of boxes told as distances (…, 4) from the same cell."""
    from keras import ops

    least, most = ops.minimum(truth, said), ops.maximum(truth, said)
    both = (least[..., 0] + least[..., 2]) * (least[..., 1] + least[..., 3])
    around = (most[..., 0] + most[..., 2]) * (most[..., 1] + most[..., 3])
    areas = [(box[..., 0] + box[..., 2]) * (box[..., 1] + box[..., 3]) for box in (truth, said)]
    union = ops.maximum(areas[0] + areas[1] - both, 1e-6)
    fit = both / union
    return fit, fit - (around - union) / ops.maximum(around, 1e-6)
