import numpy as np

from lib.workspace import Workspace, for_photos


def test_steps_note_figures_and_the_last_word_stands(tmp_path) -> None:
    work = Workspace(tmp_path / "w")
    assert work.summary() == {}
    work.note("01", images=np.int64(3))
    work.note("02", share=np.float32(0.5), where=tmp_path)
    work.note("01", images=4)
    assert Workspace(tmp_path / "w").summary() == {"01": {"images": 4}, "02": {"share": 0.5, "where": str(tmp_path)}}


def test_two_folders_of_one_name_have_two_workspaces(tmp_path) -> None:
    a, b = (for_photos(tmp_path / sub / "my photos!", data=tmp_path / "data") for sub in ("a", "b"))
    assert a.root != b.root and a.root.name.startswith("my-photos-") and a.root.parent == tmp_path / "data"
    assert a == for_photos(tmp_path / "a" / "my photos!", data=tmp_path / "data")
