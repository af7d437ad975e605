"""Where weights are: the folder `MASK_ASSETS`, the user's cache, or a download that is checked by its hash."""

import importlib.util
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from . import files

__all__ = ["ASSETS", "Asset", "AssetMissing", "find", "folders", "have", "landmarks_68", "model", "models", "offline"]

TIMEOUT = 20  # seconds without an answer


@dataclass(frozen=True)
class Asset:
    """One file that others made: we never ship it, users download it or keep it in `MASK_ASSETS`."""

    file: str
    bytes: int
    sha256: str
    urls: tuple[str, ...]
    licence: str


class AssetMissing(FileNotFoundError):
    """A weight file is neither here nor to be had; the message says what to do."""


_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/966be4c/models/face_detection_yunet/"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
_KERAS_FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{}_224_no_top.h5"

# What several sources call by one name stands in order of preference: Keras's official file first, then a file with
# the same use that a person may have put into MASK_ASSETS. An empty sha256 means that the official hash is not known
# to us; such a file is only ever taken from its own publisher.
ASSETS: dict[str, tuple[Asset, ...]] = {
    "yunet": (
        Asset(
            "face_detection_yunet_2023mar.onnx",
            232_589,
            "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
            (_ZOO + "face_detection_yunet_2023mar.onnx",),
            "MIT",
        ),
    ),
    "res10": (
        Asset(
            "opencv_face_detector_uint8.pb",
            2_727_750,
            "5c71d752ef2cbf2f457ac82fdd580fcb2522fd04c5efdaed18eb6d9e2843fbed",
            (
                "https://raw.githubusercontent.com/opencv/opencv_3rdparty/"
                "8033c2bc31b3256f0d461c919ecc01c2428ca03b/opencv_face_detector_uint8.pb",
            ),
            "Apache-2.0",
        ),
    ),
    "res10-graph": (
        Asset(
            "opencv_face_detector.pbtxt",
            34_912,
            "5397808362fc6fb7c4044484848e297b22449d913a267fa7f8bd9d86dce29144",
            ("https://raw.githubusercontent.com/opencv/opencv_extra/4.x/testdata/dnn/opencv_face_detector.pbtxt",),
            "Apache-2.0",
        ),
    ),
    "mobilenet_v2_1.0": (
        Asset(_KERAS_FILE.format("1.0"), 9_406_464, "", (_KERAS + _KERAS_FILE.format("1.0"),), "Apache-2.0"),
        Asset(
            "mobilenet_v2_1.0_224_no_top.h5",
            9_421_704,
            "4b83631fab9dc37d0d69995e3cd6c00ac78a465f630be8e0e52d977343daff4a",
            (),
            "Apache-2.0",
        ),
    ),
    "mobilenet_v2_0.35": (
        Asset(_KERAS_FILE.format("0.35"), 2_019_640, "", (_KERAS + _KERAS_FILE.format("0.35"),), "Apache-2.0"),
        Asset(
            "mobilenet_v2_0.35_224_no_top.h5",
            2_028_672,
            "d43c70f8ea04b1087170401b2f4739f41b94200e30892ea8d050ac65779146c6",
            (),
            "none stated",
        ),
    ),
}


def offline() -> bool:
    """Whether `MASK_OFFLINE` forbids every download, as `make test` sets it."""
    return os.environ.get("MASK_OFFLINE", "0") not in ("", "0")


def find(name: str) -> Path:
    """Path of a weight file, downloaded once if need be.

    Looked for in `MASK_ASSETS`, then in the user's cache, then at the publisher's address; a file whose SHA-256
    or length differs from the known one is refused. Raises AssetMissing, ValueError for an unknown name.
    """
    if name not in ASSETS:
        raise ValueError(f"asset: unknown name {name!r}; known are {', '.join(ASSETS)}")
    here = _here(name)
    if here is not None:
        return here
    reasons = ["MASK_OFFLINE is set"] if offline() else []
    if not offline():
        for asset in ASSETS[name]:
            for url in asset.urls:
                try:
                    return _download(asset, url)
                except (OSError, ValueError) as trouble:
                    reasons.append(f"{url}: {trouble}")
    files = " or ".join(asset.file for asset in ASSETS[name])
    raise AssetMissing(
        f"{files} is not here ({'; '.join(reasons)}). Put it into a folder and set MASK_ASSETS to that folder, "
        f"or connect to the internet once"
    )


def have(name: str, *, download: bool = False) -> bool:
    """Whether a weight file is here, whole and by the check of `find`, or, with download, can be fetched now."""
    if download:
        try:
            find(name)
        except AssetMissing:
            return False
        return True
    return _here(name) is not None


def landmarks_68() -> Path:
    """dlib's 68-point file inside the package face_recognition_models, found without importing that package.

    Trained on iBUG 300-W, whose licence excludes commercial use. Raises AssetMissing.
    """
    found = importlib.util.find_spec("face_recognition_models")
    if found is not None and found.origin:
        path = Path(found.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"
        if path.is_file():
            return path
    raise AssetMissing(
        "shape_predictor_68_face_landmarks.dat is not here; install it: pip install face_recognition_models"
    )


def models() -> Path:
    """Folder of the models that ship with us: `models/` of the checkout, or its copy in an installed package."""
    here = Path(__file__).parent
    return here / "shipped" if (here / "shipped").is_dir() else here.parent / "models"


def model(name: str | Path) -> Path:
    """Card (NAME.json) of a model: a shipped one by its name, or any by the path of its card or of a file beside it.

    Raises AssetMissing, naming what ships.
    """
    path = Path(name)
    candidates = [models() / f"{name}.json"] if path.name == str(name) and path.suffix not in (".json",) else []
    candidates.append(path.with_suffix(".json") if path.suffix else Path(f"{path}.json"))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    cards = (p.stem for p in models().glob("*.json") if not p.stem.endswith("-split"))
    known = ", ".join(sorted(cards)) or "none"
    raise AssetMissing(f"model: no card at {candidates[-1]}; shipped models: {known}")


def folders() -> list[Path]:
    """Where files that others made may lie: `MASK_ASSETS`, if it is set, and the user's cache, where downloads go."""
    named = os.environ.get("MASK_ASSETS")
    return [*([Path(named)] if named else []), Path(platformdirs.user_cache_dir("face-mask-workbench"))]


def _here(name: str) -> Path | None:
    """The first file of this name that is the right one, or None."""
    candidates = ((asset, folder / asset.file) for asset in ASSETS[name] for folder in folders())
    return next((path for asset, path in candidates if path.is_file() and _is_right(asset, path)), None)


def _is_right(asset: Asset, path: Path) -> bool:
    whole = path.stat().st_size == asset.bytes
    return whole and (not asset.sha256 or files.sha256(path) == asset.sha256)


def _download(asset: Asset, url: str) -> Path:
    target = folders()[-1] / asset.file
    target.parent.mkdir(parents=True, exist_ok=True)
    request = urllib.request.Request(url, headers={"User-Agent": "face-mask-workbench"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        content = answer.read(asset.bytes * 2 + 1_000_000)
    if asset.sha256 and files.sha256(content) != asset.sha256:
        found = files.sha256(content)
        raise ValueError(f"{len(content)} bytes with SHA-256 {found[:12]}…, expected {asset.sha256[:12]}…")
    if len(content) != asset.bytes:
        raise ValueError(f"{len(content)} bytes, expected {asset.bytes}: cut off, or no longer the same file")
    return files.write(target, content)
