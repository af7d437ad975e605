import json
from pathlib import Path

import nbformat
import pytest

from lib import images, labels, run
from lib.workspace import Workspace

HEAD = "from lib.workspace import Workspace\n"


def notebook(path: Path, *cells: str) -> Path:
    """A notebook whose first cell is the parameters cell."""
    first = nbformat.v4.new_code_cell('WORK = "../data/sample"\nDATA = ""\nQUICK = False')
    first.metadata["tags"] = ["parameters"]
    content = nbformat.v4.new_notebook(cells=[first, *map(nbformat.v4.new_code_cell, cells)])
    content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(content, path)
    return path


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a story of two short notebooks."""
    monkeypatch.setattr(run, "ROOT", tmp_path)
    notebook(tmp_path / "notebooks/01-first.ipynb", HEAD + 'Workspace(WORK).note("01-first", images=3, share=0.5)')
    notebook(
        tmp_path / "notebooks/02-second.ipynb", HEAD + 'Workspace(WORK).note("02-second", where=WORK)\nprint(QUICK)'
    )
    return tmp_path


@pytest.mark.slow
def test_the_story_runs_in_order_once_and_only_what_changed_again(checkout: Path) -> None:
    work, said = Workspace(checkout / "data/sample"), []
    copies = run.execute(work, quick=True, say=said.append)
    assert [c.name for c in copies] == ["01-first.ipynb", "02-second.ipynb"]
    assert all(c.with_suffix(".html").stat().st_size > 1000 for c in copies)
    assert list(work.summary()) == ["01-first", "02-second"] and len(said) == 4
    assert "True" in copies[1].read_text()

    said.clear()
    run.execute(work, quick=True, say=said.append)
    assert all("done before" in line for line in said)

    notebook(checkout / "notebooks/02-second.ipynb", HEAD + 'Workspace(WORK).note("02-second", again=1)')
    said.clear()
    run.execute(work, quick=True, say=said.append)
    assert "done before" in said[0] and "done before" not in said[1] and work.summary()["02-second"] == {"again": 1}
    assert "    share: 0.5" in run.summary(work) and "make lab" in run.summary(work)


@pytest.mark.slow
def test_a_failing_notebook_is_named_with_its_cell_and_its_words(checkout: Path) -> None:
    notebook(checkout / "notebooks/01-first.ipynb", "1 + 1", 'raise ValueError("no photos in there")')
    with pytest.raises(run.NotebookFailed, match=r"01-first\.ipynb, cell \d: ValueError: no photos in there"):
        run.execute(Workspace(checkout / "data/sample"))
    copy = checkout / "build/notebooks/sample/01-first.ipynb"
    assert "no photos in there" in copy.read_text() and copy.with_suffix(".html").is_file()


@pytest.mark.slow
def test_kept_outputs_hold_no_path_of_this_machine(checkout: Path) -> None:
    notebook(
        checkout / "notebooks/02-second.ipynb", "import os\nos.getcwd()", "import sys\nprint('oops', file=sys.stderr)"
    )
    run.keep_outputs()
    for path in (checkout / "notebooks").glob("*.ipynb"):
        text = path.read_text()
        assert str(checkout) not in text and "oops" not in text.replace("print('oops'", "") and "injected" not in text
        assert "papermill" not in json.loads(text)["metadata"]
    assert not (checkout / "data").exists(), "keeping outputs must not touch the user's workspaces"


@pytest.mark.slow
def test_a_corrected_label_is_a_reason_to_run_again(checkout: Path) -> None:
    notebook(checkout / "notebooks/03-third.ipynb", HEAD + 'Workspace(WORK).note("03-third", done=1)')
    work, said = Workspace(checkout / "data/sample"), []
    run.execute(work)
    box = [{"image": "a.jpg", "x1": 1, "y1": 2, "x2": 30, "y2": 40, "label": "with_mask", "origin": "auto"}]
    labels.write_voc(work.labels / "a.xml", labels.table(box), size=(50, 50))
    run.execute(work, say=said.append)
    assert all("done before" in line for line in said), "the machine's own labels come out of the run"
    labels.write_voc(work.labels / "a.xml", labels.table([box[0] | {"origin": "manual"}]), size=(50, 50))
    said.clear()
    run.execute(work, say=said.append)
    assert ["done before" in line for line in said] == [True, True, False, False]


def test_an_empty_story_and_an_odd_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match="run this in a checkout"):
        run.story()
    with pytest.raises(FileNotFoundError, match="is no folder"):
        run.workspace_for(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no images"):
        run.workspace_for(tmp_path / "empty")
    images.write(tmp_path / "mine/a.jpg", b"x")
    assert run.workspace_for(tmp_path / "mine").root.parent == tmp_path / "data"
    assert run.workspace_for("").root == tmp_path / "data/sample"


def test_the_summary_says_in_sentences_what_to_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    work = Workspace(tmp_path / "w")
    work.note("01-crawl-and-deduplicate", parsed=9, downloaded=8, kept=5, copies_set_aside=2, bad_set_aside=1)
    work.note("04-train-mobilenetv2", balanced_accuracy=0.97, interval_95=[0.9, 1.0], test_faces=40, test_images=30,
              measured_on="your photos", model=str(tmp_path / "w/models/mine.json"), report="r.html")  # fmt: skip
    said = run.summary(work)
    assert "9 found, 8 readable, 5 kept; 2 copies and 1 bad ones set aside" in said
    assert "0.970 balanced (95 %: 0.900 to 1.000) on 40 faces of 30 test images" in said
    assert "model     w/models/mine.json" in said


def test_a_widget_without_a_still_picture_leaves_nothing_behind() -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "<Widget>"}
    outputs = [nbformat.v4.new_output("display_data", dict(view)),
               nbformat.v4.new_output("display_data", {**view, "image/jpeg": "aGk="})]  # fmt: skip
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("w", outputs=outputs)])
    run._still(content)
    assert [sorted(o["data"]) for o in content.cells[0].outputs] == [["image/jpeg", "text/plain"]]
