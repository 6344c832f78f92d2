"""The raw files of a data set: from the first address that has them, checked, unpacked once, and healed."""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from papertables.base.errors import UserError
from papertables.data import download
from papertables.data.catalog import Dataset, File, dataset
from papertables.data.download import fetch, heal, unverified
from papertables.data.transfer import Network
from papertables.data.unpack import unpack
from tests.archives import sha256, tar, zipped
from tests.fault_server import Fault, FaultServer

GOOD = tar({"images/a.txt": os.urandom(5000), "images/b.txt": b"two"})
SOON = Network(patience=0.2)  # seconds


@pytest.fixture
def server():
    with FaultServer({"tiny.tar.gz": GOOD}) as server:
        yield server


def tiny(source: dict, split: dict | None = None, bytes: int = 0) -> Dataset:
    return Dataset(
        id="tiny",
        label="Tiny",
        source=source,
        split=split or {"rule": "folders"},
        licence="none",
        classes=2,
        train=1,
        val=1,
        test=1,
        task="object",
        clip_template="{}",
        bytes=bytes,
        places={"images": ()},
    )


def from_url(*urls: str, content: bytes = GOOD, instead: tuple = (), **changes) -> Dataset:
    file = {"name": "tiny.tar.gz", "urls": urls, "sha256": sha256(content), "format": "tar"} | changes
    return tiny({"kind": "url", "files": [file], "instead": instead})


def one_line(error) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_good_archive_is_unpacked_once(server, tmp_path):
    entry = from_url(f"{server.url}/tiny.tar.gz")
    fetch(entry, tmp_path)
    assert (tmp_path / "images/b.txt").read_bytes() == b"two"
    fetch(entry, tmp_path)
    assert len(server.asked) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"images", "tiny.tar.gz", ".tiny.tar.gz.done"}


def test_a_file_address_works(tmp_path):
    (tmp_path / "there.tgz").write_bytes(GOOD)
    fetch(from_url((tmp_path / "there.tgz").as_uri()), tmp_path / "raw")
    assert (tmp_path / "raw/images/a.txt").exists()
    with pytest.raises(UserError, match=r"file://.*nowhere\.tgz \(there is no such file\)"):
        fetch(from_url((tmp_path / "nowhere.tgz").as_uri()), tmp_path / "raw2")


def test_a_truncated_archive_without_a_checksum_is_fetched_again_and_named(server, tmp_path):
    server.files["tiny.tar.gz"] = GOOD[: len(GOOD) // 2]
    entry = from_url(f"{server.url}/tiny.tar.gz", sha256=None)
    with pytest.raises(UserError, match=r"tiny\.tar\.gz is truncated or no tar archive: delete it") as error:
        fetch(entry, tmp_path)
    one_line(error)
    assert len(server.asked) == 2
    server.files["tiny.tar.gz"] = GOOD
    (tmp_path / "tiny.tar.gz").unlink()
    fetch(entry, tmp_path)
    assert (tmp_path / "images").exists()


def test_the_next_address_is_tried_and_all_are_named_when_all_fail(server, tmp_path):
    gone, altered = f"{server.url}/gone.tar.gz", f"{server.url}/altered.tar.gz"
    server.files["altered.tar.gz"] = GOOD[:-1] + b"?"
    with pytest.raises(UserError, match=r"gone\.tar\.gz \(HTTP status 404\); .*altered\.tar\.gz \(.*checksum") as error:
        fetch(from_url(gone, altered), tmp_path)
    assert f"bring tiny.tar.gz from elsewhere and put it at {tmp_path / 'tiny.tar.gz'}" in one_line(error)
    fetch(from_url(gone, altered, f"{server.url}/tiny.tar.gz"), tmp_path)
    assert (tmp_path / "images").exists()


def test_what_the_message_says_heals(tmp_path):
    entry = from_url("http://127.0.0.1:1/tiny.tar.gz")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:1/tiny\.tar\.gz \(no connection\)"):
        fetch(entry, tmp_path, SOON)
    (tmp_path / "tiny.tar.gz").write_bytes(GOOD)
    fetch(entry, tmp_path, SOON)
    assert (tmp_path / "images").exists()


def copy_of(server, **changes) -> list[dict]:
    """Another archive of the same images, in a folder of its own."""
    server.files["copy.zip"] = content = zipped({"tiny/images/a.txt": b"one", "tiny/images/b.txt": b"two"})
    file = {"name": "copy.zip", "urls": [f"{server.url}/copy.zip"], "sha256": sha256(content), "format": "zip"}
    return [file | {"wrapped": True} | changes]


def test_another_archive_is_taken_where_the_first_cannot_be_had(server, tmp_path):
    entry = from_url(f"{server.url}/gone.tar.gz", instead=[copy_of(server)])
    fetch(entry, tmp_path)
    assert (tmp_path / "images/b.txt").read_bytes() == b"two"
    fetch(entry, tmp_path)
    assert [path for path, _ in server.asked] == ["gone.tar.gz", "copy.zip"]
    assert unverified(entry, tmp_path) == []


def test_what_arrived_of_an_archive_that_is_not_needed_any_more_is_removed(server, tmp_path):
    server.spoil("tiny.tar.gz", [Fault(cut=1000)] + [Fault(404)] * 9)
    fetch(from_url(f"{server.url}/tiny.tar.gz", instead=[copy_of(server)]), tmp_path, SOON)
    assert {path.name for path in tmp_path.iterdir()} == {"images", "copy.zip", ".copy.zip.done"}


def test_both_archives_are_named_when_neither_can_be_had(server, tmp_path):
    entry = from_url(f"{server.url}/gone.tar.gz", instead=[copy_of(server, urls=[f"{server.url}/gone.zip"])])
    with pytest.raises(UserError, match=r"tiny, neither tiny\.tar\.gz: .*/gone\.tar\.gz \(HTTP") as error:
        fetch(entry, tmp_path)
    end = f"bring one of these archives from elsewhere and put it into {tmp_path}"
    assert f", nor copy.zip: {server.url}/gone.zip (HTTP status 404): try again later, or {end}" in one_line(error)
    (tmp_path / "copy.zip").write_bytes(server.files["copy.zip"])
    fetch(entry, tmp_path)
    assert (tmp_path / "images/a.txt").exists()


def test_an_archive_that_lies_there_is_taken_first(server, tmp_path):
    entry = from_url(f"{server.url}/tiny.tar.gz", instead=[copy_of(server, urls=[])])
    (tmp_path / "copy.zip").write_bytes(server.files["copy.zip"])
    fetch(entry, tmp_path)
    assert (tmp_path / "images/a.txt").read_bytes() == b"one"
    assert not server.asked


@pytest.mark.parametrize("top", ["tiny/", "else/", ""])
def test_a_folder_around_everything_is_left_out(tmp_path, top):
    names = [f"{top}images/a.txt", f"{top}split.json", "__MACOSX/._images", ".DS_Store"]
    (tmp_path / "copy.zip").write_bytes(zipped(dict.fromkeys(names, b"x")))
    file = File(name="copy.zip", urls=(), format="zip", wrapped=True, into="data")
    assert {"data/images/a.txt", "data/split.json"} <= {*unpack(file, tmp_path)}
    assert (tmp_path / "data/images/a.txt").exists()


def test_images_that_the_user_unpacked_are_taken_as_they_are(server, tmp_path):
    (tmp_path / "images").mkdir()
    entry = from_url(f"{server.url}/tiny.tar.gz")
    fetch(entry, tmp_path)
    assert not server.asked
    assert unverified(entry, tmp_path) == ["what you unpacked"]
    assert not heal(entry, tmp_path)


def test_a_mirror_stands_in_for_an_address(server, tmp_path):
    mirrors = {"https://": "http://127.0.0.1:1/", "https://lab.example/": f"{server.url}/"}
    entry = from_url("https://lab.example/tiny.tar.gz")
    fetch(entry, tmp_path, Network.of({"mirrors": mirrors, "download_patience": 0.2}))
    assert [path for path, _ in server.asked] == ["tiny.tar.gz"]
    assert Network().address("https://lab.example/x") == "https://lab.example/x"


def test_a_git_blob_id_is_a_checksum(server, tmp_path):
    blob = hashlib.sha1(b"blob %d\0" % len(GOOD) + GOOD).hexdigest()
    fetch(from_url(f"{server.url}/tiny.tar.gz", sha256=None, git_blob=blob), tmp_path / "good")
    server.files["tiny.tar.gz"] = GOOD + b"\0"
    with pytest.raises(UserError, match=f"its checksum is not git:{blob}"):
        fetch(from_url(f"{server.url}/tiny.tar.gz", sha256=None, git_blob=blob), tmp_path / "bad")


def test_the_first_digits_of_a_checksum_are_compared(server, tmp_path):
    known = {"sha256": None, "sha256_prefix": sha256(GOOD)[:8]}
    fetch(from_url(f"{server.url}/tiny.tar.gz", **known), tmp_path / "good")
    server.files["tiny.tar.gz"] = GOOD + b"\0"
    with pytest.raises(UserError, match="its checksum is not sha256:"):
        fetch(from_url(f"{server.url}/tiny.tar.gz", **known), tmp_path / "bad")


def test_what_is_gone_comes_from_the_archive_again(server, tmp_path):
    entry = from_url(f"{server.url}/tiny.tar.gz")
    fetch(entry, tmp_path)
    image = tmp_path / "images/a.txt"
    whole = image.read_bytes()
    image.unlink()
    fetch(entry, tmp_path)
    assert image.read_bytes() == whole
    assert len(server.asked) == 1


def test_a_damaged_archive_is_fetched_again_before_it_heals(server, tmp_path):
    entry = from_url(f"{server.url}/tiny.tar.gz")
    fetch(entry, tmp_path)
    for path in (tmp_path / "tiny.tar.gz", tmp_path / "images/a.txt"):
        path.write_bytes(b"\0" * path.stat().st_size)
    assert heal(entry, tmp_path)
    assert (tmp_path / "tiny.tar.gz").read_bytes() == GOOD
    assert (tmp_path / "images/a.txt").read_bytes() != b"\0" * 5000


def test_a_note_of_an_earlier_version_counts(server, tmp_path):
    entry = from_url(f"{server.url}/tiny.tar.gz", md5=hashlib.md5(GOOD).hexdigest())
    (tmp_path / ".tiny.tar.gz.done").write_text(f"md5:{hashlib.md5(GOOD).hexdigest()}")
    fetch(entry, tmp_path)
    assert not server.asked


def test_what_no_checksum_vouches_for_is_named(server, tmp_path):
    entry = from_url(f"{server.url}/tiny.tar.gz", sha256=None)
    fetch(entry, tmp_path)
    assert unverified(entry, tmp_path) == ["tiny.tar.gz"]


def test_the_split_file_comes_too(server, tmp_path):
    content = json.dumps({"train": [], "val": [], "test": []}).encode()
    server.files["split.json"] = content
    file = {"name": "split_tiny.json", "urls": [f"{server.url}/split.json"], "sha256": sha256(content)}
    entry = from_url(f"{server.url}/tiny.tar.gz").model_dump() | {"split": {"rule": "file", "file": file}}
    fetch(Dataset(**entry), tmp_path)
    assert (tmp_path / "split_tiny.json").read_bytes() == content


def test_archives_inside_an_archive_are_unpacked(server, tmp_path):
    server.files["outer.zip"] = content = zipped({"outer/inner.tar.gz": GOOD})
    entry = from_url(f"{server.url}/outer.zip", content=content, format="zip", inner=["outer/inner.tar.gz"])
    fetch(entry, tmp_path)
    assert (tmp_path / "images/a.txt").exists()


@pytest.mark.parametrize(("format", "make"), [("tar", tar), ("zip", zipped)])
def test_an_archive_cannot_leave_its_folder(tmp_path, format, make):
    (tmp_path / "evil").write_bytes(make({"../../outside.txt": b"!"}))
    with pytest.raises(UserError, match="evil holds a path that leaves its folder"):
        unpack(File(name="evil", urls=(), format=format), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["evil"]


def test_a_damaged_zip_is_named(tmp_path):
    (tmp_path / "bad.zip").write_bytes(zipped({"a.txt": b"x" * 1000})[:-200])
    with pytest.raises(UserError, match=r"bad\.zip is truncated or no zip archive"):
        unpack(File(name="bad.zip", urls=(), format="zip"), tmp_path)


@pytest.mark.parametrize(("number", "says"), [(errno.EACCES, "may not write"), (errno.EROFS, "is read-only")])
def test_a_disk_that_cannot_be_written_is_one_line(server, tmp_path, monkeypatch, number, says):
    def refuse(*_):
        raise OSError(number, "what the system says")

    monkeypatch.setattr(download, "arrive", refuse)
    with pytest.raises(UserError, match=rf"cannot write .*{says}.*another folder") as error:
        fetch(from_url(f"{server.url}/tiny.tar.gz"), tmp_path)
    one_line(error)


def test_too_small_a_disk_is_said_before_the_download(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 5, 10**9))
    entry = from_url(f"{server.url}/tiny.tar.gz").model_copy(update={"bytes": 3 * 10**9})
    with pytest.raises(UserError, match=r"tiny needs about 6\.0 GB and .* has 1\.0 GB left"):
        fetch(entry, tmp_path)
    assert not server.asked


def test_a_manual_set_says_its_step(tmp_path):
    with pytest.raises(UserError, match=r"imagenet needs a step of yours: .*http.*put it into .*missing: ") as error:
        fetch(dataset("imagenet"), tmp_path)
    one_line(error)


def by_hand(**changes) -> Dataset:
    archive = {"name": "tiny.tar.gz", "sha256": sha256(GOOD), "format": "tar"} | changes
    return tiny({"kind": "manual", "step": "get tiny.tar.gz", "archives": [archive]})


def test_a_manual_set_takes_an_archive_or_its_folder(tmp_path):
    (tmp_path / "tiny.tar.gz").write_bytes(GOOD[:-5])
    with pytest.raises(UserError, match=r"tiny\.tar\.gz is altered or truncated"):
        fetch(by_hand(), tmp_path)
    (tmp_path / "tiny.tar.gz").write_bytes(GOOD)
    fetch(by_hand(), tmp_path)
    assert (tmp_path / "images/a.txt").exists()
    (tmp_path / "other/images").mkdir(parents=True)
    fetch(by_hand(), tmp_path / "other")


def test_unpacking_that_was_cut_off_is_done_again(tmp_path, monkeypatch):
    (tmp_path / "tiny.tar.gz").write_bytes(GOOD)

    def half(archive, folder: Path):
        (folder / "images").mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "unpack", half)
        with pytest.raises(KeyboardInterrupt):
            fetch(by_hand(sha256=None), tmp_path)
    fetch(by_hand(sha256=None), tmp_path)
    assert (tmp_path / "images/b.txt").exists()
