import json
import logging
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from lib import assets, boxes, classes, detect, evaluate, images, labels, model
from lib.detect.network import Network

MODELS = assets.models()
CARDS = {p.stem: json.loads(p.read_text()) for p in sorted(MODELS.glob("*.json"))}
SHIPPED = [name for name, card in CARDS.items() if "files" in card]
LOOKS = [name for name in SHIPPED if CARDS[name]["network"] == "one_look"]
CLASSIFIERS = [name for name in SHIPPED if name not in LOOKS]


def crops(n: int, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """A small network of two convolutions, and its files."""
    network = model.tutorial_cnn(size=16)
    folder = tmp_path_factory.mktemp("exported")
    return network, model.export(network, folder, "small", calibration=crops(40, 16), float16=True)


@pytest.fixture(scope="module")
def narrow() -> object:
    return model.mobilenet_v2(size=32, alpha=0.35, weights=None)


def test_answers_are_probabilities_of_pixels_from_0_to_255(narrow) -> None:
    answers = np.asarray(narrow(crops(3, 32)))
    assert answers.shape == (3, 3) and np.allclose(answers.sum(1), 1, atol=1e-5)
    rescaling = narrow.get_layer("normalise")
    assert np.allclose(rescaling(np.array([0.0, 127.5, 255.0])), [-1, 0, 1])


def test_freeing_goes_from_the_last_block_to_the_first(narrow) -> None:
    counts = [model.free(narrow, blocks=b) for b in (0, 1, 3, 17, None)]
    assert counts == sorted(counts) and counts[0] == 1280 * 3 + 3 and len(set(counts[:4])) == 4
    assert model.free(narrow, blocks=0) == counts[0]
    assert not model.backbone(narrow).trainable


def test_batch_normalisation_stays_in_inference_mode(narrow) -> None:
    model.free(narrow, blocks=None)
    narrow.compile(optimizer="sgd", loss="categorical_crossentropy")
    before = [w.numpy() for w in narrow.non_trainable_weights if "moving" in w.path]
    narrow.train_on_batch(crops(4, 32).astype("float32"), np.eye(3)[[0, 1, 2, 0]])
    after = [w.numpy() for w in narrow.non_trainable_weights if "moving" in w.path]
    assert len(before) > 50 and all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_same_seed_gives_the_same_head() -> None:
    first, second = (model.tutorial_cnn(size=8, seed=4).get_weights() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_int8_and_float16_agree_with_keras(exported) -> None:
    network, paths = exported
    seen = crops(60, 16, seed=1)
    exact = network.predict(seen.astype("float32"), verbose=0)
    assert np.abs(model.probabilities(paths["tflite"], seen) - exact).max() < 0.05
    assert np.abs(model.probabilities(paths["float16"], seen) - exact).max() < 0.005
    assert paths["tflite"].stat().st_size < paths["keras"].stat().st_size / 3


def test_int8_takes_bytes_and_keeps_small_probabilities_apart(exported) -> None:
    interpreter = Network(exported[1]["tflite"], threads=1)
    (answers,) = interpreter(crops(200, 16, seed=2))
    assert interpreter.input["dtype"] == np.uint8 and interpreter.outputs[0]["dtype"] == np.float32
    assert len(np.unique(answers)) > 257  # a softmax in 8 bits knows 256 values


def test_a_saved_model_answers_as_before_and_carries_no_optimiser(exported) -> None:
    network, paths = exported
    again = model.load(paths["keras"])
    seen = crops(5, 16).astype("float32")
    assert np.allclose(again.predict(seen, verbose=0), network.predict(seen, verbose=0), atol=1e-6)
    assert not again.compiled


def test_export_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    model.export(model.tutorial_cnn(size=8), tmp_path, "x", calibration=crops(4, 8))
    assert capfd.readouterr().out == ""
    with pytest.raises(ValueError, match="at least one real crop"):
        model.export(model.tutorial_cnn(size=8), tmp_path, "x", calibration=crops(0, 8))


def test_card_names_files_by_their_hash(exported) -> None:
    paths = {k: exported[1][k] for k in ("tflite", "keras")}
    content = model.card(paths, name="small", margin=0.3, limits=["none"])
    assert content == json.loads(paths["tflite"].with_name("small.json").read_text())
    assert content["files"]["tflite"]["sha256"] == images.sha256(paths["tflite"])
    assert content["margin"] == 0.3 and content["temperature"] == 1 and content["classes"] == list(classes.NAMES)


def test_imagenet_weights_are_in_the_backbone(weights: Path) -> None:
    first, second = (model.mobilenet_v2(size=32, alpha=0.35) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def test_without_imagenet_weights_the_shipped_backbone_serves_and_says_so(
    narrow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(name: str) -> Path:
        raise assets.AssetMissing(f"{name} is not here")

    monkeypatch.setattr(assets, "find", missing)
    monkeypatch.setattr(assets, "models", lambda: tmp_path)
    with pytest.raises(assets.AssetMissing, match="is not here"):
        model.mobilenet_v2(size=48, alpha=0.35)
    with model.quiet():
        narrow.save(tmp_path / "full.keras")
    (tmp_path / "full.json").write_text("{}")
    with caplog.at_level(logging.WARNING):
        again = model.mobilenet_v2(size=48, alpha=0.35)
    assert "shipped model instead" in caplog.text
    mine, theirs = (model.backbone(m).get_weights() for m in (again, narrow))
    assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))
    with pytest.raises(ValueError, match="another width than alpha 1"):
        model.mobilenet_v2(size=48, weights="shipped")


def test_weights_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="known for 0.35, 1.0, got 0.6"):
        model.mobilenet_v2(alpha=0.6)
    with pytest.raises(FileNotFoundError, match="no file .*nothing.keras"):
        model.mobilenet_v2(weights=tmp_path / "nothing.keras")


# --- what ships -----------------------------------------------------------------------------------------------------


def test_a_model_ships() -> None:
    assert "full" in SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_the_one_its_card_describes(name: str) -> None:
    card = json.loads((MODELS / f"{name}.json").read_text())
    for entry in card["files"].values():
        path = MODELS / entry["file"]
        assert path.stat().st_size == entry["bytes"] and images.sha256(path) == entry["sha256"]
    assert card["files"]["tflite"]["bytes"] <= 10_000_000
    assert card["limits"] and card["data"] and card["command"].startswith("python -m lib train")


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_shipped_classifier_answers_with_probabilities(name: str) -> None:
    card = CARDS[name]
    answers = detect.Classifier.load(name, threads=1)(crops(2, card["input_size"]))
    assert answers.shape == (2, len(card["classes"])) and np.allclose(answers.sum(1), 1, atol=1e-3)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_shipped_model_reaches_its_card_on_photos_it_never_saw(name: str, shared: Path) -> None:
    classify = detect.Classifier.load(name)
    figures = classify.card["measures"]["photos-853"]
    table, _ = labels.read_folder(shared / "data" / "photos-853")
    sides = table[["x2", "y2"]].to_numpy() - table[["x1", "y1"]].to_numpy()
    table = table[(sides.min(1) >= figures["min_side"]) & table["label"].isin(classes.NAMES[:2])]
    cut, truth = [], []
    for image, rows in table.groupby("image"):
        rgb = images.read(image)
        for box, label in zip(rows[["x1", "y1", "x2", "y2"]].to_numpy(), rows["label"], strict=True):
            cut.append(boxes.crop(rgb, box, margin=classify.margin, size=classify.input_size))
            truth.append(classes.NAMES.index(label))
    answers, labels_ = classify(np.stack(cut)).argmax(1), np.array(truth)
    balanced = np.mean([(answers[labels_ == c] == c).mean() for c in (0, 1)])
    value, low, high = figures["labelled_boxes"]
    assert low <= balanced <= high and abs(balanced - value) < 0.003


@pytest.mark.parametrize("name", LOOKS)
def test_a_shipped_look_reaches_its_card_on_photos_it_never_saw(name: str, shared: Path) -> None:
    look = detect.OneLook.load(name)
    figures = look.card["measures"]["photos-853"]
    table, _ = labels.read_folder(shared / "data" / "photos-853")
    photos = {Path(image).name: look.answers(images.read(image)) for image in sorted(set(table["image"]))}
    said = evaluate.score(table, photos, min_side=figures["min_side"], threshold=look.min_score)
    assert abs(said["balanced_accuracy_missed_is_error"] - figures["missed_is_error"][0]) < 0.003
    assert abs(said["balanced_accuracy"] - figures["found_faces"][0]) < 0.003


def test_a_start_by_chance_is_drawn_by_its_seed() -> None:
    one, same, other = (model.mobilenet_v2(weights=None, alpha=0.35, size=32, seed=s).get_weights() for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True) if a.ndim == 4)
