"""Downloads from a server that breaks off, stalls, alters, redirects, refuses, and processes that are killed."""

import os
import time
from functools import partial
from itertools import repeat
from pathlib import Path

import pytest

from papertables.base.errors import UserError
from papertables.base.files import own_part
from papertables.data import transfer
from papertables.data.catalog import File
from papertables.data.download import download
from papertables.data.transfer import Network
from tests.archives import sha256
from tests.fault_server import Fault, FaultServer, busy, page, redirect
from tests.faults.processes import KILLS, at_once, killed
from tests.faults.table import fault

CONTENT = os.urandom(100_000)
tried = partial(fault, "Disk and network")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(transfer, "CHUNK", 1000)
    with FaultServer({"file": CONTENT}) as server:
        yield server


def bring(server, folder: Path, *more: str, patience: float = 5, name: str = "file") -> Path:
    """Downloads the file from the server's address, or those of ``more`` after it."""
    urls = [url if "://" in url else f"{server.url}/{url}" for url in (name, *more)]
    download(File(name="file", urls=urls, sha256=sha256(CONTENT)), folder, Network(patience=patience))
    assert (folder / "file").read_bytes() == CONTENT
    assert [path.name for path in folder.iterdir()] == ["file"]
    return folder / "file"


def refused(server, folder: Path, *more: str, **how) -> str:
    with pytest.raises(UserError) as error:
        bring(server, folder, *more, **how)
    assert "\n" not in str(error.value)
    assert not (folder / "file").exists()
    return str(error.value)


def ranges(server) -> list[str | None]:
    return [wanted for _, wanted in server.asked]


@tried("the connection ends early, twice", "goes on where it stopped")
def test_cut(server, tmp_path):
    server.spoil("file", [Fault(cut=10_000), Fault(cut=20_000)])
    bring(server, tmp_path)
    assert ranges(server) == [None, "bytes=10000-", "bytes=30000-"]


@tried("the server falls silent", "counts as broken after a minute, goes on where it stopped")
def test_stall(server, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "STALLED", 0.2)
    server.spoil("file", [Fault(cut=10_000, stall=30)])
    bring(server, tmp_path)
    assert ranges(server) == [None, "bytes=10000-"]


@tried("a connection that breaks for longer than the patience, with a few bytes each time", "goes on: bytes renew it")
def test_progress(server, tmp_path):
    server.spoil("file", [Fault(cut=10_000, stall=0.3)] * 6)
    bring(server, tmp_path, patience=1)
    assert len(server.asked) == 7


@tried("the server hangs up without an answer", "asked again")
def test_hang_up(server, tmp_path):
    server.spoil("file", [Fault(hangs_up=True)] * 3)
    bring(server, tmp_path)
    assert len(server.asked) == 4


def until(seconds: float, fault: Fault):
    """The fault for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield fault


@tried("503 for three seconds", "waits and goes on")
def test_busy(server, tmp_path):
    server.spoil("file", until(3, busy()))
    bring(server, tmp_path, patience=10)


@tried("429 with Retry-After", "asked again after that time, not before")
def test_retry_after(server, tmp_path):
    server.spoil("file", until(1.5, busy(429, "2")))
    bring(server, tmp_path)
    assert len(server.asked) == 2


@tried("429 that asks to wait longer than the patience", "the next address at once")
def test_retry_after_too_long(server, tmp_path):
    server.spoil("file", repeat(busy(429, "3600")))
    server.files["other"] = CONTENT
    bring(server, tmp_path, "other")
    assert len(server.asked) == 2


@tried("a web page with status 200 in place of the rest", "what had arrived is kept, goes on where it stopped")
def test_page(server, tmp_path):
    server.spoil("file", [Fault(cut=10_000), page(), page()])
    bring(server, tmp_path)
    assert ranges(server)[-1] == "bytes=10000-"


@tried("a web page for ever", "one line; what had arrived is kept, and the next run goes on with it")
def test_page_for_ever(server, tmp_path):
    server.spoil("file", [Fault(cut=10_000), *[page()] * 99])
    assert "it sends a web page in place of the file" in refused(server, tmp_path, patience=0.3)
    assert own_part(tmp_path / "file").stat().st_size == 10_000
    server.spoil("file", [])
    bring(server, tmp_path)


@tried("one byte altered on the way", "the next address")
def test_altered(server, tmp_path):
    server.spoil("file", [Fault(altered=True)])
    server.files["other"] = CONTENT
    bring(server, tmp_path, "other")


@tried("one byte altered for ever", "one line with the address and the checksum; nothing is kept")
def test_altered_for_ever(server, tmp_path):
    server.spoil("file", repeat(Fault(altered=True)))
    assert f"its checksum is not sha256:{sha256(CONTENT)}" in refused(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


@tried("what an earlier run left of the file is damaged", "fetched anew from the same address")
def test_damaged_part(server, tmp_path):
    own_part(tmp_path / "file").write_bytes(b"?" * 10_000)
    bring(server, tmp_path)
    assert ranges(server) == ["bytes=10000-", None]


@tried("what an earlier run left is longer than the file", "fetched anew from the same address")
def test_long_part(server, tmp_path):
    own_part(tmp_path / "file").write_bytes(CONTENT + b"?")
    bring(server, tmp_path)


@tried("the server knows no ranges", "what it sends again is passed over, the rest is added")
def test_no_ranges(server, tmp_path):
    server.spoil("file", [Fault(cut=10_000), Fault(ignores_range=True, cut=5_000), Fault(ignores_range=True)])
    bring(server, tmp_path)


@tried("a redirect", "followed")
def test_redirect(server, tmp_path):
    server.files["other"] = CONTENT
    server.spoil("file", repeat(redirect(f"{server.url}/other")))
    bring(server, tmp_path)


@tried("redirects in a circle", "the next address at once")
def test_redirect_in_a_circle(server, tmp_path):
    server.spoil("circle", repeat(redirect(f"{server.url}/circle")))
    bring(server, tmp_path, "file", name="circle")


@tried("404", "the next address at once")
def test_gone(server, tmp_path):
    bring(server, tmp_path, "file", name="gone")
    assert len(server.asked) == 2


@tried("no address gives the file", "one line that names each address, why it failed, and where to put the file")
def test_nothing_helps(server, tmp_path):
    server.spoil("busy", repeat(busy()))
    said = refused(server, tmp_path, "http://127.0.0.1:1/file", "busy", name="gone", patience=0.3)
    reasons = [f"{server.url}/gone (HTTP status 404)", "http://127.0.0.1:1/file (no connection)"]
    assert "; ".join([*reasons, f"{server.url}/busy (HTTP status 503)"]) in said
    assert said.endswith(f"bring file from elsewhere and put it at {tmp_path / 'file'}")


@tried("two processes fetch one file", "both end well, one file, nothing beside it")
def test_two_processes(server, tmp_path):
    server.spoil("file", repeat(Fault(slow=300_000)))
    assert at_once([partial(bring_alone, server.url, tmp_path)] * 2) == [0, 0]
    bring(server, tmp_path)


def bring_alone(url: str, folder: Path) -> None:
    download(File(name="file", urls=[f"{url}/file"], sha256=sha256(CONTENT)), folder)


@pytest.mark.parametrize("kills", KILLS)
@tried("kill -9 while downloading, at ten random moments", "the next run takes up what had arrived; one file, no part")
def test_kill(server, tmp_path, kills):
    server.spoil("file", repeat(Fault(slow=300_000)))
    for _ in killed(partial(bring_alone, server.url, tmp_path), kills, within=0.4):
        assert not (tmp_path / "file").exists() or (tmp_path / "file").read_bytes() == CONTENT
        assert len(list(tmp_path.iterdir())) <= 1
    server.spoil("file", [])
    bring(server, tmp_path)
    assert any(ranges(server))
