"""What all tests share: no network, the real data beside the checkout where it is, and builders."""

import os
from pathlib import Path

import numpy as np
import pytest
from helpers import blots

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("MASK_SHARED", ROOT.parent / "shared"))

os.environ["MASK_OFFLINE"] = "1"
if (SHARED / "assets").is_dir():
    os.environ.setdefault("MASK_ASSETS", str(SHARED / "assets"))


@pytest.fixture
def shared() -> Path:
    """The folder of real photos; a test that needs it is skipped, and counted, where it is not."""
    if not (SHARED / "data").is_dir():
        pytest.skip("real data: no shared folder beside the checkout (set MASK_SHARED)")
    return SHARED


@pytest.fixture
def weights() -> Path:
    """The folder of downloadable weights; a test that needs it is skipped, and counted, where it is not."""
    folder = os.environ.get("MASK_ASSETS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("weights: MASK_ASSETS names no folder")
    return Path(folder)


@pytest.fixture(scope="session")
def look_by_chance(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, Path]:
    """A one-look network of chance for canvases of (96, 128), and the card beside its files."""
    pytest.importorskip("tensorflow")
    from lib import model

    folder, shape = tmp_path_factory.mktemp("onelook"), (96, 128)
    network = model.one_look(shape=shape, width=8, weights=None, seed=3)
    rng = np.random.default_rng(0)
    for layer in network.layers:  # heads of chance say next to nothing: let them speak up
        if layer.name.startswith(("face_", "box_", "answer_")) and layer.get_weights():
            kernel, bias = layer.get_weights()
            layer.set_weights([rng.normal(0, 0.5, kernel.shape), bias * 0.2])
    paths = model.export_one_look(network, folder, "look", calibration=blots(24, shape))
    how = {"network": "one_look", "input_size": list(shape), "min_score": 0.3, "finder": None}
    model.card(paths, name="look", **how)
    return network, folder / "look.json"
