"""Image caches are copied to a machine's own disk once, and read there."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from papertables.base.errors import UserError
from papertables.data import near as module
from papertables.data.near import FOLDER, near


@pytest.fixture
def shared(tmp_path):
    path = tmp_path / "shared" / "test-crop-32.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"images")
    return path


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("NODE_DISK", str(tmp_path / "node"))
    monkeypatch.setenv(FOLDER, "$NODE_DISK/caches")
    return tmp_path / "node" / "caches"


def copies(scratch):
    return list(scratch.rglob("*.safetensors"))


def test_a_copy_is_made_once_for_many_jobs(shared, scratch, monkeypatch):
    written, write = [], module.write_atomic
    monkeypatch.setattr(module, "write_atomic", lambda path, chunks: (written.append(path), write(path, chunks)))
    with ThreadPoolExecutor(8) as pool:
        read = {*pool.map(near, [shared] * 8)}
    assert [*read] == copies(scratch) == written
    assert written[0].read_bytes() == b"images"


def test_a_cache_that_was_made_anew_replaces_its_copy(shared, scratch):
    before = near(shared)
    shared.write_bytes(b"others")
    os.utime(shared, ns=(1, 1))
    after = near(shared)
    assert after.read_bytes() == b"others"
    assert copies(scratch) == [after] != [before]


def test_without_a_folder_it_is_read_where_it_lies(shared, monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    assert near(shared) == shared


def test_a_folder_that_takes_nothing_is_no_obstacle(shared, scratch, capsys):
    scratch.parent.mkdir()
    scratch.touch()  # a file
    assert near(shared) == shared
    assert f"{shared} is read where it lies" in capsys.readouterr().err


def test_a_variable_that_no_node_sets_is_told(shared, monkeypatch):
    monkeypatch.delenv("SCRATCH_OF_NOBODY", raising=False)
    monkeypatch.setenv(FOLDER, "$SCRATCH_OF_NOBODY/caches")
    with pytest.raises(UserError, match=r"cache_dir is \$SCRATCH_OF_NOBODY/caches"):
        near(shared)
