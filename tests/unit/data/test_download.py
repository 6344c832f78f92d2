"""Downloads from a server that cuts off, alters and loses files."""

import errno
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from papertables.base.errors import UserError
from papertables.data import download
from papertables.data.catalog import Archive, Dataset, dataset
from papertables.data.download import fetch, unpack


class Server:
    """Files by path; ``cut`` says after how many bytes each of the next answers ends too early."""

    def __init__(self):
        self.files, self.cut, self.asked = {}, [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def answer(self, handler):
        content = self.files.get(handler.path.lstrip("/"))
        wanted = handler.headers.get("Range")
        self.asked.append((handler.path, wanted))
        if content is None:
            return handler.send_error(404)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if wanted and start >= len(content):
            return handler.send_error(416)
        body = content[start:]
        handler.send_response(206 if wanted else 200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: self.cut.pop(0)] if self.cut else body)
        handler.close_connection = True


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(download, "CHUNK", 100)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


GOOD = tar({"images/a.txt": os.urandom(5000), "images/b.txt": b"two"})


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
    )


def from_url(*urls: str, content: bytes = GOOD, **changes) -> Dataset:
    file = {"name": "tiny.tar.gz", "urls": urls, "sha256": sha256(content), "format": "tar"} | changes
    return tiny({"kind": "url", "files": [file]})


def one_line(error) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_good_archive_is_unpacked_once(server, tmp_path):
    server.files["tiny.tar.gz"] = GOOD
    entry = from_url(f"{server.url}/tiny.tar.gz")
    fetch(entry, tmp_path)
    assert (tmp_path / "images/b.txt").read_bytes() == b"two"
    fetch(entry, tmp_path)
    assert len(server.asked) == 1
    assert not list(tmp_path.glob("*.part"))


def test_a_file_address_works(tmp_path):
    (tmp_path / "there.tgz").write_bytes(GOOD)
    fetch(from_url((tmp_path / "there.tgz").as_uri()), tmp_path / "raw")
    assert (tmp_path / "raw/images/a.txt").exists()
    with pytest.raises(UserError, match="there is no file file://"):
        fetch(from_url((tmp_path / "nowhere.tgz").as_uri()), tmp_path / "raw2")


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(server, tmp_path):
    server.files["tiny.tar.gz"] = GOOD
    server.cut = [1000, 2000]
    fetch(from_url(f"{server.url}/tiny.tar.gz"), tmp_path)
    assert [wanted for _, wanted in server.asked] == [None, "bytes=1000-", "bytes=3000-"]
    assert (tmp_path / "images/a.txt").exists()


def test_what_arrived_is_kept_for_the_next_run(server, tmp_path):
    server.files["tiny.tar.gz"] = GOOD
    server.cut = [500] * download.ATTEMPTS
    entry = from_url(f"{server.url}/tiny.tar.gz")
    with pytest.raises(UserError, match=r"cannot download .*tiny\.tar\.gz .*the connection ends") as error:
        fetch(entry, tmp_path)
    one_line(error)
    assert (tmp_path / "tiny.tar.gz.part").stat().st_size == 500 * download.ATTEMPTS
    fetch(entry, tmp_path)
    assert (tmp_path / "images/a.txt").exists()


@pytest.mark.parametrize("bad", [GOOD[:-100], GOOD[:-1] + b"?", b""], ids=["truncated", "altered", "empty"])
def test_a_bad_archive_is_named_and_not_kept(server, tmp_path, bad):
    server.files["tiny.tar.gz"] = bad
    entry = from_url(f"{server.url}/tiny.tar.gz")
    with pytest.raises(UserError, match=r"tiny\.tar\.gz sends is altered or truncated.*put it at") as error:
        fetch(entry, tmp_path)
    one_line(error)
    assert not (tmp_path / "images").exists()
    assert not (tmp_path / "tiny.tar.gz").exists()
    server.files["tiny.tar.gz"] = GOOD
    fetch(entry, tmp_path)
    assert (tmp_path / "images").exists()


def test_a_truncated_archive_without_a_checksum_is_named(server, tmp_path):
    server.files["tiny.tar.gz"] = GOOD[: len(GOOD) // 2]
    with pytest.raises(UserError, match=r"tiny\.tar\.gz is truncated or no tar archive: delete it") as error:
        fetch(from_url(f"{server.url}/tiny.tar.gz", sha256=None), tmp_path)
    one_line(error)


def test_a_missing_file_is_named_and_the_next_address_tried(server, tmp_path):
    entry = from_url(f"{server.url}/gone.tar.gz")
    with pytest.raises(UserError, match=r"gone\.tar\.gz \(HTTP status 404\).*bring tiny\.tar\.gz") as error:
        fetch(entry, tmp_path)
    one_line(error)
    assert len(server.asked) == 1  # asking again would not help
    server.files["tiny.tar.gz"] = GOOD
    fetch(from_url(f"{server.url}/gone.tar.gz", f"{server.url}/tiny.tar.gz"), tmp_path)
    assert (tmp_path / "images").exists()


def test_no_server_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    with pytest.raises(UserError, match=r"127\.0\.0\.1:1/x \(no connection\)") as error:
        fetch(from_url("http://127.0.0.1:1/x"), tmp_path)
    one_line(error)


def test_a_file_that_the_user_put_there_is_not_downloaded(server, tmp_path):
    (tmp_path / "tiny.tar.gz").write_bytes(GOOD)
    fetch(from_url(f"{server.url}/gone.tar.gz"), tmp_path)
    assert (tmp_path / "images").exists()
    assert not server.asked


def test_the_split_file_comes_too(server, tmp_path):
    content = json.dumps({"train": [], "val": [], "test": []}).encode()
    server.files |= {"tiny.tar.gz": GOOD, "split.json": content}
    source = {
        "kind": "url",
        "files": [{"name": "t.tgz", "urls": [f"{server.url}/tiny.tar.gz"], "format": "tar"}],
    }
    file = {"name": "split_tiny.json", "urls": [f"{server.url}/split.json"], "sha256": sha256(content)}
    fetch(tiny(source, {"rule": "file", "file": file}), tmp_path)
    assert (tmp_path / "split_tiny.json").read_bytes() == content


def test_archives_inside_an_archive_are_unpacked(server, tmp_path):
    server.files["outer.zip"] = content = zipped({"outer/inner.tar.gz": GOOD})
    entry = from_url(f"{server.url}/outer.zip", content=content, format="zip", inner=["outer/inner.tar.gz"])
    fetch(entry, tmp_path)
    assert (tmp_path / "images/a.txt").exists()


@pytest.mark.parametrize(("format", "make"), [("tar", tar), ("zip", zipped)])
def test_an_archive_cannot_leave_its_folder(tmp_path, format, make):
    (tmp_path / "evil").write_bytes(make({"../outside.txt": b"!"}))
    with pytest.raises(UserError, match="evil holds a path that leaves its folder"):
        unpack(tmp_path / "evil", tmp_path / "in", format)
    assert not (tmp_path / "outside.txt").exists()


def test_a_damaged_zip_is_named(tmp_path):
    (tmp_path / "bad.zip").write_bytes(zipped({"a.txt": b"x" * 1000})[:-200])
    with pytest.raises(UserError, match=r"bad\.zip is truncated or no zip archive"):
        unpack(tmp_path / "bad.zip", tmp_path, "zip")


@pytest.mark.parametrize(("number", "says"), [(errno.ENOSPC, "is full"), (errno.EACCES, "may not write")])
def test_a_disk_that_cannot_be_written_is_one_line(server, tmp_path, monkeypatch, number, says):
    server.files["tiny.tar.gz"] = GOOD

    def full(*_):
        raise OSError(number, "what the system says")

    monkeypatch.setattr(download, "_append", full)
    with pytest.raises(UserError, match=rf"cannot write to .*{says}.*: mend that") as error:
        fetch(from_url(f"{server.url}/tiny.tar.gz"), tmp_path)
    one_line(error)


def test_too_small_a_disk_is_said_before_the_download(server, tmp_path, monkeypatch):
    server.files["tiny.tar.gz"] = GOOD
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 5, 10**9))
    entry = from_url(f"{server.url}/tiny.tar.gz").model_copy(update={"bytes": 3 * 10**9})
    with pytest.raises(UserError, match=r"tiny needs about 6\.0 GB and .* has 1\.0 GB left"):
        fetch(entry, tmp_path)
    assert not server.asked


@pytest.mark.parametrize("id", ["imagenet", "stanford_cars", "ucf101"])
def test_a_manual_set_says_its_step(tmp_path, id):
    with pytest.raises(UserError, match=f"{id} needs a step of yours: .*http.*put it into .*missing: ") as error:
        fetch(dataset(id), tmp_path)
    one_line(error)


def test_a_manual_set_takes_an_archive_or_its_folder(tmp_path):
    archive = {"name": "tiny.tar.gz", "sha256": sha256(GOOD), "format": "tar"}
    source = {"kind": "manual", "step": "get tiny.tar.gz", "needs": ["images"], "archives": [archive]}
    (tmp_path / "tiny.tar.gz").write_bytes(GOOD[:-5])
    with pytest.raises(UserError, match=r"tiny\.tar\.gz is altered or truncated"):
        fetch(tiny(source), tmp_path)
    (tmp_path / "tiny.tar.gz").write_bytes(GOOD)
    fetch(tiny(source), tmp_path)
    assert (tmp_path / "images/a.txt").exists()
    (tmp_path / "other/images").mkdir(parents=True)
    fetch(tiny(source), tmp_path / "other")


def test_unpacking_that_was_cut_off_is_done_again(tmp_path, monkeypatch):
    archive = {"name": "tiny.tar.gz", "format": "tar"}
    source = {"kind": "manual", "step": "get tiny.tar.gz", "needs": ["images"], "archives": [archive]}
    (tmp_path / "tiny.tar.gz").write_bytes(GOOD)

    def half(path, folder, format):
        (folder / "images").mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "unpack", half)
        with pytest.raises(KeyboardInterrupt):
            fetch(tiny(source), tmp_path)
    fetch(tiny(source), tmp_path)
    assert (tmp_path / "images/b.txt").exists()


def test_the_hub_is_asked_for_the_fixed_revision(tmp_path, monkeypatch):
    asked = []

    def give(repo, name, *, repo_type, revision, local_dir):
        asked.append((repo, name, repo_type, revision))
        (local_dir / name).write_bytes(GOOD if len(asked) > 1 else GOOD[:-9])

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=give))
    file = Archive(name="tiny.tar.gz", md5=hashlib.md5(GOOD).hexdigest(), format="tar")
    entry = tiny({"kind": "huggingface", "repo": "a/b", "revision": "0" * 40, "files": [file]})
    with pytest.raises(UserError, match=r"tiny\.tar\.gz is altered or truncated"):
        fetch(entry, tmp_path)
    fetch(entry, tmp_path)
    fetch(entry, tmp_path)
    assert asked == [("a/b", "tiny.tar.gz", "dataset", "0" * 40)] * 2
    assert (tmp_path / "images").exists()


def test_torchvision_is_asked_once_and_its_errors_are_one_line(tmp_path, monkeypatch):
    asked = []

    def give(root, download, **kwargs):
        asked.append((download, kwargs))
        if len(asked) == 1:
            raise RuntimeError("File not found or corrupted.\nsecond line")

    classes = SimpleNamespace(FGVCAircraft=give)
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(datasets=classes))
    entry = dataset("fgvc_aircraft").model_copy(update={"bytes": 0})
    with pytest.raises(UserError, match=r"torchvision cannot download FGVCAircraft .*delete .* and run again") as error:
        fetch(entry, tmp_path)
    one_line(error)
    fetch(entry, tmp_path)
    fetch(entry, tmp_path)
    assert asked == [(True, {"split": "test", "annotation_level": "variant"})] * 2
