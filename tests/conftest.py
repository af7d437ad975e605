"""What all tests share: no network, the real data beside the checkout where it is, and builders."""

import os
from pathlib import Path

import pytest

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
