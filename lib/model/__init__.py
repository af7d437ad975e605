"""The networks, and how they leave the house: Keras files, LiteRT files and a card that says what they are.

`mobilenet_v2` and `tutorial_cnn` tell what a crop of one face shows, `one_look` finds and names all faces of a photo.
This room and `train` are the only doors to TensorFlow.
"""

from .networks import (
    SHIPPED,
    backbone,
    card,
    export,
    free,
    load,
    mobilenet_v2,
    precision,
    probabilities,
    quiet,
    shipped,
    tutorial_cnn,
)
from .onelook import export_one_look, one_look

__all__ = [
    "SHIPPED",
    "backbone",
    "card",
    "export",
    "export_one_look",
    "free",
    "load",
    "mobilenet_v2",
    "one_look",
    "precision",
    "probabilities",
    "quiet",
    "shipped",
    "tutorial_cnn",
]
