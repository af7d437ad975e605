import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from hypothesis import given
from hypothesis import strategies as st

from lib import assets, classes, detect, faces, files, images
from lib.detect import network, two_step

# A network of twelve numbers: green is a mask, red is none, blue is worn incorrectly. Its size leaves no doubt about
# what a test should get, and it still goes through the real converter and the real interpreter.
BUILD = """
import contextlib, io, sys
from pathlib import Path
import numpy as np, tensorflow as tf
weights = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]], np.float32) * 0.03
crops = tf.keras.Input((8, 8, 3))
logits = tf.keras.layers.Dense(3, activation="softmax")(tf.keras.layers.GlobalAveragePooling2D()(crops))
network = tf.keras.Model(crops, logits)
network.layers[-1].set_weights([weights, np.zeros(3, np.float32)])
rng = np.random.default_rng(0)
def samples():
    for _ in range(50):
        yield [np.broadcast_to(rng.uniform(0, 255, (1, 1, 1, 3)), (1, 8, 8, 3)).astype(np.float32)]
for kind in ("float32", "uint8", "int8"):
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, kind)
    with contextlib.redirect_stdout(io.StringIO()):
        Path(sys.argv[1], kind + ".tflite").write_bytes(converter.convert())
"""
GREEN, RED, BLUE, GREY = (0, 255, 0), (255, 0, 0), (0, 0, 255), (128, 128, 128)


def card(file: Path, **changes: object) -> dict:
    entry = {"file": file.name, "sha256": files.sha256(file), "bytes": file.stat().st_size}
    plain = {"classes": list(classes.NAMES), "input_size": 8, "margin": 0.25, "files": {"tflite": entry}}
    return {**plain, "unsure_below": 0.6, **changes}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture
def model(built: Path, tmp_path: Path) -> Path:
    """The card of the float network, with a copy of its own, so that a test may damage it."""
    return saved(built, tmp_path, "float32")


def saved(built: Path, folder: Path, kind: str, **changes: object) -> Path:
    file = folder / f"{kind}.tflite"
    file.write_bytes((built / file.name).read_bytes())
    path = folder / f"{kind}.json"
    path.write_text(json.dumps(card(file, **changes)))
    return path


def crops(*colours: tuple[int, int, int]) -> np.ndarray:
    return np.array(colours, np.uint8).reshape(-1, 1, 1, 3).repeat(8, 1).repeat(8, 2)


def finder(*rows: tuple[float, float, float, float], score: float = 0.5):
    xyxy = np.array(rows, np.float32).reshape(-1, 4)
    return lambda rgb: sv.Detections(xyxy=xyxy, confidence=np.full(len(xyxy), score, np.float32))


def photo(*colours: tuple[int, int, int]) -> np.ndarray:
    """Stripes of 40 × 40 pixels."""
    return np.concatenate([np.full((40, 40, 3), c, np.uint8) for c in colours], axis=1)


def test_no_crops_give_no_answers(model: Path) -> None:
    assert detect.Classifier.load(model)(crops()).shape == (0, 3)


@pytest.mark.parametrize("kind", ["float32", "uint8", "int8"])
def test_every_kind_of_input_and_output_gives_probabilities(built: Path, tmp_path: Path, kind: str) -> None:
    answers = detect.Classifier.load(saved(built, tmp_path, kind))(crops(GREEN, RED, BLUE, GREY))
    assert answers.shape == (4, 3) and answers.dtype == np.float32
    assert np.allclose(answers.sum(1), 1, atol=1e-5)
    assert answers[:3].argmax(1).tolist() == [0, 1, 2]
    assert answers[3].max() < 0.4
    assert answers[0, 0] > 0.95


def test_a_batch_answers_as_one_by_one_whatever_came_before(model: Path) -> None:
    classify = detect.Classifier.load(model)
    many = crops(*[(g, 255 - g, 40) for g in range(0, 255, 6)])
    together = classify(many)
    single = np.concatenate([classify(crop[None]) for crop in many])
    assert len(many) > 2 * detect.BATCH
    assert np.allclose(together, single, atol=1e-6)
    assert np.allclose(classify(many[:5]), together[:5], atol=1e-6)


def test_temperature_and_bias_of_the_card_count(built: Path, tmp_path: Path) -> None:
    grey = crops(GREY, GREEN)
    plain = detect.Classifier.load(saved(built, tmp_path, "float32"))(grey)
    warm = detect.Classifier.load(saved(built, tmp_path, "float32", temperature=4.0))(grey)
    pushed = detect.Classifier.load(saved(built, tmp_path, "float32", bias=[0, 0, 3]))(grey)
    assert warm[1].max() < plain[1].max() - 0.05
    assert pushed[0].argmax() == 2 and pushed[0, 2] > 0.9


@given(st.lists(st.lists(st.floats(0.001, 1), min_size=3, max_size=3), max_size=5))
def test_calibration_at_rest_changes_nothing(rows: list[list[float]]) -> None:
    p = np.array(rows, np.float32).reshape(-1, 3)
    p = p / p.sum(1, keepdims=True)
    assert np.allclose(detect.calibrated(p, bias=[0, 0, 0]), p, atol=1e-5)


def test_wrong_crops_are_named(model: Path) -> None:
    with pytest.raises(ValueError, match=r"crops: must be uint8 \(n, 8, 8, 3\), got float32 \(1, 8, 8, 3\)"):
        detect.Classifier.load(model)(crops(RED).astype(np.float32))


def test_a_changed_file_is_refused(model: Path) -> None:
    tflite = model.with_suffix(".tflite")
    tflite.write_bytes(tflite.read_bytes()[:-1] + b"!")
    with pytest.raises(detect.ModelDamaged, match="its card says"):
        detect.Classifier.load(model)
    tflite.unlink()
    with pytest.raises(assets.AssetMissing, match="not beside it"):
        detect.Classifier.load(model)


def test_decide_says_unsure_only_below_the_threshold() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]])
    assert detect.decide(p)[0].tolist() == [0, 0]
    assert detect.decide(p, unsure_below=0.6)[0].tolist() == [0, 3]
    assert detect.decide(p, unsure_below=0.6)[1].tolist() == [0.7, 0.5]
    assert detect.decide(np.zeros((0, 3)))[0].shape == (0,)


def test_a_photo_without_faces_gives_empty_detections(model: Path) -> None:
    detector = detect.MaskDetector.load(model, find=finder())
    found = detector(photo(RED))
    assert len(found) == 0 and found.xyxy.shape == (0, 4) and found.data["class_name"].shape == (0,)
    assert detector.answers(photo(RED)) == []


def test_each_face_gets_its_class_and_how_sure(model: Path) -> None:
    boxes = [(45, 5, 75, 35), (5, 5, 35, 35), (125, 5, 155, 35)]
    found = detect.MaskDetector.load(model, find=finder(*boxes))(photo(GREEN, RED, BLUE, GREY))
    assert found.data["class_name"].tolist() == ["without_mask", "with_mask", "unsure"]
    assert found.class_id.tolist() == [1, 0, 3]
    assert np.allclose(found.confidence, found.data["probabilities"].max(1))
    assert np.allclose(found.xyxy, boxes)


def test_the_plain_answer_has_three_classes_and_the_product_as_score(model: Path) -> None:
    detector = detect.MaskDetector.load(model, find=finder((5, 5, 35, 35), (45, 5, 75, 35), score=0.5))
    rows = detector.answers(photo(GREEN, GREY))
    sure = detector(photo(GREEN, GREY)).confidence
    assert [row[5] in classes.NAMES for row in rows] == [True, True]
    assert [row[4] for row in rows] == pytest.approx([0.5 * sure[0], 0.5 * sure[1]], abs=1e-4)
    assert rows[0][:4] == [5, 5, 35, 35]
    assert len(detector.answers(photo(GREEN, GREY), threshold=0.3)) == 1
    json.dumps(rows)


def test_boxes_at_the_edge_stay_and_boxes_of_nothing_go(model: Path) -> None:
    boxes = [(-30, -30, 20, 20), (10, 10, 12, 30), (200, 200, 260, 260), (30, 30, 20, 20)]
    found = detect.MaskDetector.load(model, find=finder(*boxes))(photo(GREEN))
    assert found.xyxy.tolist() == [[-30, -30, 20, 20]]


def test_what_is_no_face_is_left_out_and_other_orders_are_put_right(built: Path, tmp_path: Path) -> None:
    names = ["without_mask", "not_a_face", "with_mask"]  # so green answers without_mask, red is no face
    path = saved(built, tmp_path, "float32", classes=names)
    found = detect.MaskDetector.load(path, find=finder((5, 5, 35, 35), (45, 5, 75, 35), (85, 5, 115, 35)))(
        photo(GREEN, RED, BLUE)
    )
    assert found.data["class_name"].tolist() == ["without_mask", "with_mask"]
    assert found.data["probabilities"][:, 2].tolist() == [0, 0]
    assert np.allclose(found.data["probabilities"].sum(1), 1)


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 4)])
def test_other_pictures_are_refused(model: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"rgb: must be uint8"):
        detect.MaskDetector.load(model, find=finder())(np.zeros(shape, np.uint8))


def test_one_pixel_is_a_photo_too(model: Path) -> None:
    assert len(detect.MaskDetector.load(model, find=finder((0, 0, 1, 1)))(np.zeros((1, 1, 3), np.uint8))) == 0


def test_nothing_loads_tensorflow_or_chatters(model: Path) -> None:
    code = (
        "import sys, numpy; from lib import detect\n"
        f"c = detect.Classifier.load({str(model)!r}); c(numpy.zeros((2, 8, 8, 3), numpy.uint8))\n"
        "print([m for m in ('tensorflow', 'keras', 'matplotlib', 'pandas', 'PyQt5') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]" and done.stderr == ""


def test_only_chatter_is_kept_from_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with network._without_chatter():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nout of memory\n")
    os.write(2, b"and on\n")
    assert capfd.readouterr().err == "out of memory\nand on\n"


def test_a_folder_is_looked_at_and_what_is_no_photo_is_listed(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    images.write(folder / "deep" / "a.jpg", photo(GREEN, RED))
    images.write(folder / "b.png", photo(GREEN))
    (folder / "c.jpg").write_text("no photo")
    detector = detect.MaskDetector.load(model, find=finder((5, 5, 35, 35)))
    looked, skipped = detect.look(images.find(folder), detector, root=folder, out=tmp_path / "out")
    assert [one.name for one in looked] == ["b.png", "deep/a.jpg"]
    assert looked[0].words.startswith("1 face: Mask 9") and looked[0].answers[0][5] == "with_mask"
    assert [row["reason"] for row in skipped] == ["not an image (the content is none, whatever the name says)"]
    assert images.read(tmp_path / "out" / "deep" / "a.jpg").shape == (40, 80, 3)
    assert detect.look([], detector) == ([], [])


def test_the_card_names_the_finder_and_a_camera_takes_a_quicker_look(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(two_step, "finder", lambda name, **options: asked.append((name, options)) or finder())
    for named in (None, {"name": "both", "max_side": 900}, {"name": "hog"}):
        path = saved(built, tmp_path, "float32", finder=named)
        for side in (None, faces.LIVE):
            detect.MaskDetector.load(path, max_side=side)
    quick = {"max_side": faces.LIVE}
    assert asked == [
        ("both", {}),
        ("yunet", quick),
        ("both", {"max_side": 900}),
        ("yunet", quick),
        ("hog", {}),
        ("hog", quick),
    ]


def test_a_camera_without_yunet_is_looked_at_by_one_look(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str = "auto", **options: object) -> None:
        raise assets.AssetMissing("not here")

    monkeypatch.setattr(faces, "finder", nothing)
    assert detect.MaskDetector.load(model, max_side=faces.LIVE).find.name == "one-look"


def test_a_photo_is_never_written_over(model: Path, tmp_path: Path) -> None:
    images.write(tmp_path / "a.jpg", photo(GREEN))
    before = (tmp_path / "a.jpg").read_bytes()
    detector = detect.MaskDetector.load(model, find=finder())
    for out in (tmp_path / "a.jpg", tmp_path):
        with pytest.raises(ValueError, match="never overwritten"):
            detect.look([tmp_path / "a.jpg"], detector, out=out)
    assert (tmp_path / "a.jpg").read_bytes() == before
    (looked,), _ = detect.look([tmp_path / "a.jpg"], detector, out=tmp_path / "b.jpg")
    assert looked.words == "no face found" and (tmp_path / "b.jpg").is_file()


@pytest.fixture
def shipped() -> Iterator[detect.MaskDetector]:
    try:
        yield detect.MaskDetector.load("full")
    except assets.AssetMissing as trouble:
        pytest.skip(f"weights: {trouble}")


def test_the_shipped_model_tells_masked_from_bare(shipped: detect.MaskDetector, weights: Path, shared: Path) -> None:
    right = 0
    for name in ("man_bare_outdoors", "man_masked_in_shop", "woman_masked_at_desk", "corridor_man_walks_masked"):
        from lib import clips

        wanted = "without_mask" if "bare" in name else "with_mask"
        for i, (_, rgb) in enumerate(clips.frames(shared / f"data/videos/{name}.mp4")):
            if i == 40:
                right += wanted in shipped(rgb).data["class_name"]
                break
    assert right >= 3
