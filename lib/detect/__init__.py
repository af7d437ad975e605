"""A photo → the faces in it with class and probability. Runs on LiteRT alone; nothing here loads TensorFlow.

`MaskDetector` finds faces and then names each, `OneLook` does both with one network; `load` gives whichever a card
describes.
"""

from .network import ModelDamaged, calibrated, decide
from .onelook import OneLook, load
from .two_step import BATCH, Classifier, Looked, MaskDetector, look

__all__ = [
    "BATCH",
    "Classifier",
    "Looked",
    "MaskDetector",
    "ModelDamaged",
    "OneLook",
    "calibrated",
    "decide",
    "load",
    "look",
]
