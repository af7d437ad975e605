"""The one-look models that ship, on drawn people and on pictures of nobody."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lib import assets, boxes, cells, detect, images, sample

NAMES = [n for n in ("one-look", "one-look-small") if (assets.models() / f"{n}.json").is_file()]


@lru_cache
def look(name: str, kind: str = "tflite", least: float | None = None) -> detect.OneLook:
    return detect.OneLook.load(name, kind=kind, min_score=least, threads=1)


@lru_cache
def person(seed: int, size: int = 320) -> tuple[np.ndarray, np.ndarray]:
    """A drawn person, masked if the seed is odd, and the face's box."""
    shot = sample.portrait(seed, mask="any" if seed % 2 else None, size=size, yaw=0)
    return shot.rgb, np.asarray(shot.faces[0].xyxy, float)


def best(found: object, box: np.ndarray) -> float:
    return float(boxes.iou(np.asarray(found.xyxy, float).reshape(-1, 4), box[None]).max(initial=0))


def test_they_ship() -> None:
    assert NAMES == ["one-look", "one-look-small"]
    assert (assets.models() / "one-look-small.tflite").stat().st_size <= 1_500_000


@pytest.mark.parametrize("name", NAMES)
def test_easy_people_are_found_and_named(name: str) -> None:
    found = [(look(name)(rgb), box, seed) for seed in range(20, 32) for rgb, box in [person(seed)]]
    assert np.mean([best(f, box) > 0.5 for f, box, _ in found]) >= 0.9
    right = [
        np.asarray(f.data["probabilities"])[0].argmax() == (0 if seed % 2 else 1) for f, _, seed in found if len(f)
    ]
    assert np.mean(right) >= 0.75  # drawn people: it learnt from photos


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_found_where_nobody_is(name: str) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 400, 3)).astype(np.uint8)
    sky = np.repeat(np.linspace(90, 230, 240)[:, None, None], 320, 1).repeat(3, 2).astype(np.uint8)
    wall = cv2.resize(rng.integers(60, 200, (9, 12, 3)).astype(np.uint8), (480, 360), interpolation=cv2.INTER_CUBIC)
    for rgb in (noise, sky, wall, np.zeros((200, 200, 3), np.uint8), np.full((37, 700, 3), 255, np.uint8)):
        assert len(look(name)(rgb)) == 0


@pytest.mark.parametrize("name", NAMES)
def test_int8_and_float_find_the_same_people(name: str) -> None:
    for seed in range(40, 46):
        rgb, _ = person(seed)
        small, whole = (look(name, kind)(rgb) for kind in ("tflite", "float16"))
        assert boxes.iou(small.xyxy[:1], whole.xyxy[:1])[0, 0] > 0.85  # the surest; doubtful ones may come and go
        assert np.abs(small.data["probabilities"][0] - whole.data["probabilities"][0]).max() < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_keras_says_what_its_float_file_says(name: str) -> None:
    keras = pytest.importorskip("keras")
    network, runner = keras.models.load_model(assets.models() / f"{name}.keras"), look(name, "float16")
    shown = np.stack([cells.letterbox(person(seed)[0], runner.shape)[0] for seed in (50, 51)])
    exact, said = network.predict(shown, verbose=0), np.concatenate(runner._run(shown), axis=2)
    assert np.abs(exact - said).max() < 0.25 and np.abs(exact - said).mean() < 0.01


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(640, 200), (200, 640), (501, 333)])
def test_a_face_stays_in_its_place_at_any_aspect_ratio(name: str, size: tuple[int, int]) -> None:
    (rgb, box), (w, h) = person(21, 180), size
    photo = np.full((h, w, 3), 120, np.uint8)
    x, y = w - 190, h - 190
    photo[y : y + 180, x : x + 180] = rgb
    assert best(look(name)(photo), box + np.tile([x, y], 2)) > 0.5


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photo_that_lies_on_its_side_has_its_boxes_upright(tmp_path: Path, orientation: int) -> None:
    rgb, box = person(22)
    turns = {3: 2, 6: 1, 8: 3}[orientation]  # quarter turns to the left that make the stored picture
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(np.rot90(rgb, turns))).save(tmp_path / "a.png", exif=exif)
    again = images.read(tmp_path / "a.png")
    assert np.array_equal(again, rgb)
    assert best(look(NAMES[0])(again), box) > 0.5
