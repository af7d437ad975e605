"""A photo → the faces in it with class and probability. Runs on LiteRT alone; nothing here loads TensorFlow.

`MaskDetector` finds faces and then names each, `OneLook` does both with one network; `load` gives whichever a card
describes. `finder` finds faces only: "both" is YuNet and one look together.
"""

from .finding import FINDERS, finder
from .loading import chosen, load, one_look
from .network import ModelDamaged, calibrated, decide
from .onelook import OneLook
from .two_step import BATCH, Classifier, Looked, MaskDetector, look

__all__ = [
    "BATCH",
    "FINDERS",
    "Classifier",
    "Looked",
    "MaskDetector",
    "ModelDamaged",
    "OneLook",
    "calibrated",
    "chosen",
    "decide",
    "finder",
    "load",
    "look",
    "one_look",
]
