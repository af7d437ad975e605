"""The notebooks: their form, what is committed in them, and that they run with nobody there."""

import ast
import json
import os
import re
from pathlib import Path

import nbformat
import pytest

from lib import run

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = run.story(ROOT / "notebooks", numbers="123456")
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def code_cells(path: Path) -> list[dict]:
    return [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def test_all_are_there() -> None:
    assert [p.name[:2] for p in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]


@each
def test_it_is_a_valid_notebook_for_any_kernel(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata["kernelspec"]["name"] == "python3"


@each
def test_it_has_one_parameters_cell_with_the_three(path: Path) -> None:
    tagged = [c for c in code_cells(path) if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert {"WORK", "DATA", "QUICK"} <= set(re.findall(r"^(\w+) =", source(tagged[0]), re.M))


@each
def test_cells_tell_and_show_and_lib_does(path: Path) -> None:
    for cell in code_cells(path):
        text = source(cell)
        assert len(text.splitlines()) <= 15, text
        assert not re.search(r"^\s*[!%]|sys\.path", text, re.M), text
        for node in ast.walk(ast.parse(text)):
            assert not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.For, ast.While)), text
    kinds = [c["cell_type"][0] for c in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    assert "ccc" not in "".join(kinds), "more than two code cells in a row"
    assert kinds[0] == "m"


@each
def test_committed_outputs_teach_and_hold_no_errors(path: Path) -> None:
    outputs = [o for c in code_cells(path) for o in c["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert not [o for o in outputs if o.get("name") == "stderr"]
    assert any("image/jpeg" in o.get("data", {}) or "image/png" in o.get("data", {}) for o in outputs)
    assert path.stat().st_size <= 1_048_576
    assert not re.search(r'"(/home|/root|/Users|/work|/tmp)/', path.read_text(encoding="utf-8"))


@each
def test_pictures_have_words_for_those_who_cannot_see_them(path: Path) -> None:
    calls = [n for c in code_cells(path) for n in ast.walk(ast.parse(source(c))) if isinstance(n, ast.Call)]
    shown = [n for n in calls if isinstance(n.func, ast.Attribute) and n.func.attr == "show"]
    assert all("alt" in {k.arg for k in n.keywords} for n in shown)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> run.Workspace:
    """A new workspace on the poorest machine there is: no network, no weights that others made."""
    monkeypatch.delenv("MASK_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(os.environ, "MASK_OFFLINE", "1")
    return run.Workspace(tmp_path / "work")


@pytest.mark.slow
def test_the_story_runs_with_nobody_there(work: run.Workspace, tmp_path: Path) -> None:
    """All five in order, QUICK."""
    copies = run.execute(work, quick=True, out=tmp_path / "out")
    steps = work.summary()
    assert list(steps) == [c.stem for c in copies]
    assert steps["01-crawl-and-deduplicate"]["kept"] < steps["01-crawl-and-deduplicate"]["downloaded"]
    assert (work.out / "annotated.jpg").is_file() and (work.out / "annotated.mp4").is_file()
    assert run.summary(work)


@pytest.mark.slow
def test_the_single_shot_detector_runs_alone(work: run.Workspace, tmp_path: Path) -> None:
    run.execute(work, quick=True, out=tmp_path / "out", numbers="6")
    told = work.summary()["06-single-shot-detector"]
    assert (work.models / "my-look.json").is_file() and set(told["faces_found"]) == {"two steps", "one look", "together"}
