"""The manifest: what it remembers, in one transaction, from many threads, and what may be taken back."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lib.manifest import Manifest

A, B, C = "a" * 64, "b" * 64, "c" * 64


def manifest(tmp_path, *images: str) -> Manifest:
    opened = Manifest(tmp_path / "data" / "manifest.sqlite")
    for sha256 in images:
        opened.add_image(sha256, made(tmp_path / "data" / "raw" / f"{sha256}.jpg"), bytes=10, width=4, height=3)
    return opened


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_an_empty_manifest_has_empty_tables(tmp_path):
    with manifest(tmp_path) as empty:
        assert all(empty.read(t).empty for t in ("images", "sources", "attempts", "derivations", "decisions"))
        assert empty.kept().empty and empty.standing().empty
        assert empty.seen("http://x") is None and empty.holds(A) is None and empty.last_attempt("http://x") is None
        with pytest.raises(ValueError, match="no table 'faces'; there are images"):
            empty.read("faces")


def test_an_image_is_new_once_and_keeps_its_first_file(tmp_path):
    with manifest(tmp_path) as kept:
        assert kept.add_image(A, made(tmp_path / "data" / "raw" / "a.jpg"), bytes=1, width=2, height=3)
        assert not kept.add_image(A, made(tmp_path / "other.jpg"), bytes=1, width=2, height=3)
        assert kept.read("images").file.tolist() == ["raw/a.jpg"]
        assert kept.holds(A) == tmp_path / "data" / "raw" / "a.jpg"


def test_a_file_outside_keeps_its_full_path(tmp_path):
    with manifest(tmp_path) as kept:
        kept.add_image(A, made(tmp_path / "mine" / "a.jpg"), bytes=1, width=2, height=3)
        assert kept.kept().path.tolist() == [str(tmp_path / "mine" / "a.jpg")]


def test_a_photo_that_was_renamed_is_found_again_and_one_that_is_gone_is_not_kept(tmp_path):
    with manifest(tmp_path, A, B) as kept:
        first = tmp_path / "data" / "raw" / f"{A}.jpg"
        assert not kept.add_image(A, tmp_path / "nowhere.jpg", bytes=10, width=4, height=3)
        assert kept.holds(A) == first
        first.unlink()
        assert kept.kept().sha256.tolist() == [B] and kept.photos().kept.tolist() == [False, True]
        assert not kept.add_image(A, tmp_path / "nowhere.jpg", bytes=10, width=4, height=3)
        assert kept.holds(A) == first, "a file that is not there takes no place"
        assert not kept.add_image(A, made(tmp_path / "mine" / "new.jpg"), bytes=10, width=4, height=3)
        assert kept.kept().path.tolist() == [str(tmp_path / "mine" / "new.jpg"), str(first.with_name(f"{B}.jpg"))]


def test_both_sources_are_remembered_each_once(tmp_path):
    with manifest(tmp_path, A) as kept:
        assert kept.add_source(A, "http://x/a", query="one", label="with_mask")
        assert kept.add_source(A, "http://x/a", query="two", label="with_mask")
        assert not kept.add_source(A, "http://x/a", query="two")
        assert kept.seen("http://x/a") == A and kept.kept().label.tolist() == ["with_mask"]
        kept.add_source(A, "http://y/a", query="bare", label="without_mask")
        assert kept.kept().label.tolist() == [""], "two classes promise the same image"


def test_decisions_stand_until_they_are_undone(tmp_path):
    with manifest(tmp_path, A, B, C) as kept:
        kept.decide("dedupe", [(A, True, "the best of 2"), (B, False, "like a")])
        kept.decide("screen", [(C, False, "dark")])
        assert kept.kept().sha256.tolist() == [A]
        assert kept.standing("dedupe").reason.tolist() == ["the best of 2", "like a"]
        kept.decide("dedupe", [(B, True, "after all")])
        assert kept.kept().sha256.tolist() == [A, B] and len(kept.read("decisions")) == 4
        assert kept.undo("screen") == 1 and kept.undo("screen") == 0
        assert kept.kept().sha256.tolist() == [A, B, C]
        assert kept.undo("dedupe", A) == 1 and kept.standing().sha256.tolist() == [B]


def test_a_whole_step_takes_back_what_it_no_longer_lists(tmp_path):
    with manifest(tmp_path, A, B, C) as kept:
        kept.decide("dedupe", [(B, False, "like a"), (C, False, "like a")], whole=True)
        kept.decide("screen", [(C, False, "dark")], whole=True)
        kept.decide("dedupe", [(C, False, "like a")])
        assert kept.kept().sha256.tolist() == [A], "without whole, what is not listed stands"
        kept.decide("dedupe", [(C, True, "the best of 1")], whole=True)
        assert kept.kept().sha256.tolist() == [A, B] and kept.standing().reason.tolist() == ["dark", "the best of 1"]
        with pytest.raises(sqlite3.IntegrityError):
            kept.decide("screen", [(A, False, None)], whole=True)
        assert kept.standing("screen").sha256.tolist() == [C], "a decision that fails takes nothing back"


def test_what_was_made_of_others_is_not_a_photo_to_keep(tmp_path):
    with manifest(tmp_path, A, B) as kept:
        kept.derive(B, A, "mask", parameters={"style": "cloth"}, seed=3)
        kept.derive(B, A, "mask", parameters={"style": "n95"}, seed=4)
        assert kept.kept().sha256.tolist() == [A]
        assert kept.read("derivations").parameters.tolist() == ['{"style": "n95"}']


def test_together_keeps_all_or_nothing(tmp_path):
    with manifest(tmp_path, A) as kept:
        with pytest.raises(RuntimeError), kept.together():
            kept.add_source(A, "http://x/a")
            kept.add_attempt("http://x/a", "downloaded")
            raise RuntimeError
        assert kept.read("sources").empty and kept.read("attempts").empty
        with kept.together():
            kept.add_source(A, "http://x/a")
            kept.decide("dedupe", [(A, True, "")])
        with Manifest(kept.path) as other:
            assert len(other.read("sources")) == len(other.standing()) == 1


def test_a_kill_between_two_appends_loses_only_the_one_in_flight(tmp_path):
    code = (
        "import os, sys; from lib.manifest import Manifest\n"
        "kept = Manifest(sys.argv[1]); kept.add_attempt('http://x/1', 'downloaded')\n"
        "with kept.together():\n    kept.add_attempt('http://x/2', 'downloaded'); os._exit(9)"
    )
    path = tmp_path / "manifest.sqlite"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    with Manifest(path) as kept:
        assert kept.read("attempts").url.tolist() == ["http://x/1"]


def test_many_threads_and_two_connections_write_at_once(tmp_path):
    with manifest(tmp_path) as one, Manifest(tmp_path / "data" / "manifest.sqlite") as two:

        def write(number: int) -> None:
            for i in range(20):
                with (one, two)[number % 2].together():
                    (one, two)[number % 2].add_attempt(f"http://x/{number}/{i}", "failed", reason="HTTP 404")

        threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert one.read("attempts").url.nunique() == 120 and one.last_attempt("http://x/3/7") == ("failed", "HTTP 404")
