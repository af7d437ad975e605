"""The sample people are found where they were drawn, and the gallery and the clip are what their truth says."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lib import assets, boxes, clips, dedupe, images, masks, sample
from lib.classes import NAMES
from lib.sample.gallery import SPOILT
from lib.workspace import Workspace

FIRST = 100  # people that no figure in the code was tuned on
Stored = tuple[np.ndarray, sample.Face]


def stored(shot: sample.Shot) -> Stored:
    """The photo as it comes back from its JPEG, and its one face."""
    return images.read(images.encode(shot.rgb, quality=shot.quality)), shot.faces[0]


@lru_cache
def frontal() -> list[Stored]:
    return [stored(sample.portrait(FIRST + i, take=7, size=256, yaw=(-10, 10))) for i in range(36)]


@lru_cache
def turned() -> list[Stored]:
    yaw = [(15 + 20 * i / 11) * (-1) ** i for i in range(12)]
    return [stored(sample.portrait(FIRST + i, take=8, size=256, yaw=y, tilt=12)) for i, y in enumerate(yaw)]


@lru_cache
def masked() -> list[Stored]:
    return [stored(sample.portrait(FIRST + i, take=9, size=256, yaw=(-15, 15), mask="any")) for i in range(12)]


def hits(xyxy: np.ndarray, face: sample.Face) -> bool:
    return bool((boxes.iou(np.asarray(xyxy, float).reshape(-1, 4), face.xyxy[None]) > 0.4).any())


@lru_cache
def hog() -> Callable[[np.ndarray, int], list]:
    import dlib

    return dlib.get_frontal_face_detector()


@lru_cache
def predictor() -> Callable:
    import dlib

    return dlib.shape_predictor(str(assets.landmarks_68()))


def landmark_error(rgb: np.ndarray, face: sample.Face, rect: object) -> float:
    """Mean distance of dlib's 68 points from the drawn ones, as a share of the eye distance."""
    points = predictor()(rgb, rect).parts()
    found = np.array([(p.x, p.y) for p in points]) + 0.5
    eyes = face.points68[36:42].mean(0) - face.points68[42:48].mean(0)
    return float(np.linalg.norm(found - face.points68, axis=1).mean() / np.linalg.norm(eyes))


def yunet(weights: Path, rgb: np.ndarray) -> np.ndarray:
    h, w = rgb.shape[:2]
    net = cv2.FaceDetectorYN.create(str(weights / "face_detection_yunet_2023mar.onnx"), "", (w, h), 0.7)
    found = net.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1]
    return np.empty((0, 4)) if found is None else np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], 1)


def rects(rgb: np.ndarray, face: sample.Face) -> list:
    return [r for r in hog()(rgb, 0) if hits(np.array([r.left(), r.top(), r.right(), r.bottom()]), face)]


def test_hog_and_landmarks_find_frontal_faces_where_they_were_drawn() -> None:
    found = [(rgb, face, rects(rgb, face)) for rgb, face in frontal()]
    assert np.mean([bool(r) for _, _, r in found]) >= 0.95
    errors = np.array([landmark_error(rgb, face, r[0]) for rgb, face, r in found if r])
    assert np.median(errors) < 0.06
    assert np.mean(errors < 0.06) >= 0.90


def test_hog_and_landmarks_find_turned_faces() -> None:
    found = [(rgb, face, rects(rgb, face)) for rgb, face in turned()]
    assert np.mean([bool(r) for _, _, r in found]) >= 0.90
    assert np.median([landmark_error(rgb, face, r[0]) for rgb, face, r in found if r]) < 0.09


def test_yunet_finds_all_of_them(weights: Path) -> None:
    for shots in (frontal(), turned(), masked()):
        assert np.mean([hits(yunet(weights, rgb), face) for rgb, face in shots]) >= 0.98


def test_the_same_seed_is_the_same_photo_and_another_take_is_not() -> None:
    one, same, other = (sample.portrait(5, take=t, size=128) for t in (1, 1, 2))
    assert np.array_equal(one.rgb, same.rgb) and np.array_equal(one.faces[0].points68, same.faces[0].points68)
    assert one.rgb.shape == other.rgb.shape and not np.array_equal(one.rgb, other.rgb)


def test_people_differ_and_are_many() -> None:
    people = [sample.person(i) for i in range(sample.PEOPLE)]
    assert sample.PEOPLE >= 300
    assert len({(p.skin, p.hair, p.hair_colour, p.hair_seed) for p in people}) == len(people)
    assert len({p.hair for p in people}) >= 10 and len({p.beard for p in people}) == 5
    assert min(np.mean(p.skin) for p in people) < 80 and max(np.mean(p.skin) for p in people) > 200
    assert 0.1 < np.mean([p.glasses != "none" for p in people]) < 0.5


@pytest.mark.parametrize("worn, label", [("full", NAMES[0]), ("nose", NAMES[2]), ("chin", NAMES[2])])
def test_a_mask_covers_what_its_class_says(worn: str, label: str) -> None:
    bare = sample.portrait(4, take=1, size=160, yaw=0.0)
    shot = sample.portrait(4, take=1, size=160, yaw=0.0, mask="surgical-blue", worn=worn)
    assert bare.faces[0].label == NAMES[1] and shot.faces[0].label == label
    points = shot.faces[0].points68

    def blue(at: np.ndarray) -> bool:
        x, y = (int(v) for v in at)
        r, _, b = shot.rgb[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(0)
        return bool(b > r + 8)

    assert blue(points[30]) == (worn == "full")
    assert blue(points[57]) == (worn != "chin")
    assert blue(points[8] - (0, 0.12 * (points[8] - points[27])[1]))


def test_a_group_has_its_people_from_left_to_right() -> None:
    shot = sample.group([3, 8, 21], take=1, size=400, masks=["any", None, "cloth-red/nose"])
    left = [face.xyxy[0] for face in shot.faces]
    assert shot.rgb.shape == (300, 400, 3) and left == sorted(left)
    assert {f.person: f.label for f in shot.faces} == {3: NAMES[0], 8: NAMES[1], 21: NAMES[2]}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: sample.person(-1),
        lambda: sample.portrait(1, size=10),
        lambda: sample.portrait(1, mask="paper bag"),
        lambda: sample.group([]),
    ],
)
def test_wrong_requests_are_refused_in_one_sentence(wrong: Callable) -> None:
    with pytest.raises(ValueError, match=r"^\w+: .*must"):
        wrong()


def test_photos_lie_beside_their_truth(tmp_path: Path) -> None:
    table = sample.photos(tmp_path, count=5, seed=3)
    again = sample.truth(tmp_path)
    assert table.drop(columns="points68").equals(again.drop(columns="points68"))
    assert sorted(table["image"].unique()) == [p.name for p in images.find(tmp_path)]
    for name, faces in table.groupby("image"):
        rgb = images.read(tmp_path / str(name))
        assert 256 <= max(rgb.shape[:2]) <= 1024
        assert (faces[["x1", "y1"]] >= 0).all(axis=None) and (faces["x2"] <= rgb.shape[1]).all()
        assert set(faces["label"]) <= set(NAMES) and set(faces["source"]) == {"sample"}
    first = (tmp_path / table["image"][0]).read_bytes()
    sample.photos(tmp_path / "b", count=1, seed=3)
    assert (tmp_path / "b" / table["image"][0]).read_bytes() == first


def test_truth_needs_a_folder_of_ours(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="truth.json"):
        sample.truth(tmp_path)


def get(url: str) -> tuple[bytes, str]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read(), answer.headers["Content-Type"]


def test_the_gallery_serves_what_its_truth_says(tmp_path: Path) -> None:
    with sample.gallery(tmp_path, count=6, seed=2) as gallery:
        truth = gallery.truth
        seen: dict[str, str] = {}
        for query in gallery.queries:
            for page in (1, 2, 3):
                body = get(f"{gallery.url}/search?q={query.replace(' ', '+')}&page={page}")[0].decode()
                for path, about in re.findall(r'<a class="result" href="([^"]+)" data-page="([^"]+)"', body):
                    assert path not in seen
                    seen[path] = query
                    assert "Licence" in get(gallery.url + about)[0].decode()
        assert seen == dict(zip(truth["path"], truth["query"], strict=True))
        for row in truth.itertuples():
            content, kind = get(gallery.url + row.path)
            assert images.sha256(content) == row.sha256
            if row.how == "broken":
                with pytest.raises(images.UnreadableImage):
                    images.read(content)
            else:
                assert kind == "image/jpeg" and images.read(content).size
        assert b'class="result"' not in get(f"{gallery.url}/search?q=bicycles")[0]
        for missing in ("/image/none.jpg", "/image/../gallery.json", "/elsewhere"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                get(gallery.url + missing)
    with pytest.raises(OSError):
        get(gallery.url)


def test_the_gallery_is_met_again_at_its_address_and_elsewhere_where_that_is_taken(tmp_path: Path) -> None:
    import socket

    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    for _ in range(2):
        with sample.gallery(tmp_path, count=2, port=port) as gallery:
            assert gallery.url == f"http://127.0.0.1:{port}"
            get(gallery.url)
            with sample.gallery(tmp_path, count=2, port=port) as second:
                assert second.url != gallery.url and get(second.url)
    names = set(gallery.truth["name"])
    with sample.gallery(tmp_path / "more", count=4, port=0) as other:
        same = names & set(other.truth["name"])
        content = {n: ((tmp_path / n).read_bytes(), (tmp_path / "more" / n).read_bytes()) for n in same}
    assert same and all(a == b for a, b in content.values()), "one address, one picture"


def test_copies_in_the_gallery_are_made_as_told(tmp_path: Path) -> None:
    with sample.gallery(tmp_path, count=6, seed=2) as gallery:
        truth = gallery.truth
    with sample.gallery(tmp_path, count=6, seed=2) as again:  # served from the folder, not drawn again
        assert again.truth["sha256"].tolist() == truth["sha256"].tolist()
    copies = {"mirrored", "cropped", "resized", "re-encoded"}
    assert {"original", *copies, "broken", "no face", *SPOILT} == set(truth["how"])
    for row in truth[truth["how"].isin(["mirrored", "cropped", "resized", "re-encoded"])].itertuples():
        source, copy = images.read(tmp_path / row.original), images.read(tmp_path / row.name)
        h, w = source.shape[:2]
        smaller = copy.shape[0] < h and copy.shape[1] < w
        assert smaller == (row.how in ("cropped", "resized"))
        turned_back = copy[:, ::-1] if row.how == "mirrored" else copy
        near = np.abs(cv2.resize(np.ascontiguousarray(turned_back), (w, h)).astype(int) - source).mean()
        assert near < (25 if row.how == "cropped" else 9)


def test_every_kind_of_spoilt_photo_is_one_that_the_screening_names(tmp_path: Path) -> None:
    with sample.gallery(tmp_path, count=6, seed=2) as gallery:
        truth = gallery.truth[gallery.truth["how"].ne("broken")]
    prints, skipped = dedupe.fingerprints([tmp_path / name for name in truth["name"]])
    screened = dedupe.screen(prints)
    found = screened[screened["bad"]].groupby("sha256")["check"].agg(set)
    spoilt = truth[truth["how"].isin(SPOILT)]
    assert not skipped and spoilt["how"].value_counts().to_dict() == dict.fromkeys(SPOILT, 1)
    assert set(SPOILT) == set(dedupe.THRESHOLDS) - {"no face"}
    for row in spoilt.itertuples():
        assert row.how in found[row.sha256], row
    assert set(found.index) == set(spoilt["sha256"]), "no other picture is bad"
    assert not set(dedupe.groups(prints)["sha256"]) & set(spoilt["sha256"])


def test_a_filled_workspace_is_as_the_crawl_would_leave_it(tmp_path: Path) -> None:
    work = Workspace(tmp_path)
    sample.fill(work, count=4, seed=2)
    with work.manifest() as manifest:
        kept, known = manifest.kept(), manifest.read("images")
        assert set(kept["label"]) == {NAMES[0], NAMES[1]}
        assert 4 <= len(kept) < len(known)
        for row in known.itertuples():
            assert images.sha256(manifest.file(row.file)) == row.sha256
        assert (manifest.read("attempts")["outcome"] == "refused").any()
        said = manifest.standing("screen")
        assert len(said) == len(SPOILT) and not said["kept"].any() and not set(said["sha256"]) & set(kept["sha256"])
    sample.fill(work, count=4, seed=2)
    with work.manifest() as manifest:
        assert len(manifest.read("images")) == len(known)


def test_the_clip_and_its_truth_have_the_same_frames(tmp_path: Path) -> None:
    path = sample.clip(tmp_path / "clip.mp4", seconds=1.5, fps=4)
    told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    shown = list(clips.frames(path))
    assert len(shown) == len(told["frames"]) == 6
    assert [list(rgb.shape[1::-1]) for _, rgb in shown] == [told["size"]] * 6
    labels = [{f["person"]: f["label"] for f in frame["faces"]} for frame in told["frames"]]
    who = [person for person in labels[0] if labels[0][person] == NAMES[1]]
    assert any(labels[-1][person] == NAMES[0] for person in who)  # one put a mask on
    assert all(len(frame["faces"]) in (2, 3) for frame in told["frames"])


def test_the_painted_mask_is_a_style(tmp_path: Path) -> None:
    rgba = sample.mask_picture()
    path = images.write(tmp_path / "mine.png", rgba)
    with Image.open(path) as image:
        assert image.mode == "RGBA" and np.array_equal(np.asarray(image), rgba)
    assert rgba[0, 0, 3] == 0 and rgba[90, 120, 3] == 255
    assert masks.template(path).name == "mine"
