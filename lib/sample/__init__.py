"""The sample people: photos, a gallery to crawl and a clip, all drawn by this package, with their truth known.

Nothing here is a photo of anybody, so that everything runs without downloads; figures measured on it say how the
workbench works, never how well a model does on real people.
"""

from .clip import clip
from .gallery import Gallery, fill, gallery
from .people import PEOPLE, Person, person
from .photos import Face, Shot, group, photos, portrait, truth
from .picture import mask_picture
from .wear import MASKS

__all__ = [
    "MASKS",
    "PEOPLE",
    "Face",
    "Gallery",
    "Person",
    "Shot",
    "clip",
    "fill",
    "gallery",
    "group",
    "mask_picture",
    "person",
    "photos",
    "portrait",
    "truth",
]
