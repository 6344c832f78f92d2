"""A raw folder that changes is noticed without reading an image."""

import os
import shutil

import pytest

from papertables.data import raw


@pytest.fixture
def folders(tmp_path):
    """A prepared folder, and a raw one with two classes."""
    for name in ("cat/1.png", "dog/1.png", "split.json"):
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_text(name)
    (tmp_path / "prepared").mkdir()
    return tmp_path / "prepared", tmp_path / "raw"


def replace(folder):
    (folder / "cat/1.png").write_text("another")


def replace_by_an_older_one(folder):
    (folder / "cat/1.png").write_text("ANOTHER/1")
    os.utime(folder / "cat/1.png", (1, 1))


def replace_by_name(folder):
    (folder / "new").write_text("cat/1.png")
    (folder / "new").replace(folder / "cat/1.png")


def add(folder):
    (folder / "cat/2.png").touch()


def remove(folder):
    (folder / "dog/1.png").unlink()


def change_the_split(folder):
    (folder / "split.json").write_text("another")


CHANGES = [replace, replace_by_an_older_one, replace_by_name, add, remove, change_the_split]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_told_once(folders, change):
    prepared, folder = folders
    assert raw.state(prepared, folder) is None  # nothing is known
    raw.note(prepared, raw.stamps(folder), raw.state(prepared, folder))
    assert raw.state(prepared, folder) is None
    change(folder)
    told = raw.state(prepared, folder)
    assert told is not None
    assert raw.state(prepared, folder) == told  # as long as it is not prepared anew
    raw.note(prepared, raw.stamps(folder), told)
    assert raw.state(prepared, folder) == told  # as Snakemake has it on record
    (folder / "dog/9.png").touch()
    assert raw.state(prepared, folder) not in (None, told)


@pytest.mark.parametrize("change", [change for change in CHANGES if not change.__name__.startswith("replace")])
def test_of_many_files_folders_and_what_is_at_the_top_are_looked_at(folders, change, monkeypatch):
    prepared, folder = folders
    monkeypatch.setattr(raw, "MOST", 2)
    assert set(raw.stamps(folder)) == {".", "./cat", "./dog", "./split.json"}
    raw.note(prepared, raw.stamps(folder), None)
    change(folder)
    assert raw.state(prepared, folder)


def test_a_folder_that_moves_with_its_times_stays_the_same(folders, tmp_path):
    prepared, folder = folders
    raw.note(prepared, raw.stamps(folder), None)
    shutil.copytree(folder, tmp_path / "moved")
    for path in [folder, *folder.rglob("*")]:
        times = path.stat()
        os.utime(tmp_path / "moved" / path.relative_to(folder), ns=(times.st_atime_ns, times.st_mtime_ns))
    assert raw.state(prepared, tmp_path / "moved") is None


def test_links_are_followed_and_none_for_ever(folders):
    _, folder = folders
    (folder / "cat/again").symlink_to(folder, target_is_directory=True)
    assert "./cat/1.png" in raw.stamps(folder)


def test_a_drawn_set_has_no_raw_folder(tmp_path):
    raw.note(tmp_path, raw.stamps(tmp_path / "nowhere"), None)
    assert raw.state(tmp_path, tmp_path / "nowhere") is None
