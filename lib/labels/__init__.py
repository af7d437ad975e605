"""The table of faces, and the files that labels come from and go to: Pascal VOC, YOLO, COCO and folders of crops.

A box is xyxy in pixels of the upright photo, right and bottom edge exclusive; Pascal VOC as labelImg writes it holds
the same four numbers, so nothing is added or taken on the way. What a person said stands: a file that does not say
`<origin>auto</origin>` counts as a person's (labelImg drops that element when it saves).
"""

from .book import Book
from .coco import read_coco, write_coco
from .columns import COLUMNS, table, to_detections
from .converting import FORMATS, convert
from .correcting import REMOVED, corrected, read_corrections
from .crops import write_crops
from .folder import read_folder
from .problems import FormatError
from .voc import read_voc, voc_path, write_voc
from .whose import owner, standing
from .yolo import read_yolo, write_names, write_yolo

__all__ = [
    "COLUMNS",
    "FORMATS",
    "REMOVED",
    "Book",
    "FormatError",
    "convert",
    "corrected",
    "owner",
    "read_coco",
    "read_corrections",
    "read_folder",
    "read_voc",
    "read_yolo",
    "standing",
    "table",
    "to_detections",
    "voc_path",
    "write_coco",
    "write_crops",
    "write_names",
    "write_voc",
    "write_yolo",
]
