"""Disks that are full, limits of file sizes, damaged files, and processes that are killed while they write."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from papertables.base.errors import UserError
from papertables.base.scripting import failure
from papertables.data import cache, prepare, ready
from papertables.data.catalog import Dataset
from papertables.data.download import fetch, heal
from papertables.data.ready import make_ready
from papertables.data.splits import Item
from papertables.data.transfer import DIRECT
from tests.archives import sha256, tar
from tests.fault_server import FaultServer
from tests.faults.processes import KILLS, at_once, killed
from tests.faults.table import fault

SMALL = {f"images/{number % 7}/{number}.txt": os.urandom(200) for number in range(3000)}
ARCHIVE = tar(SMALL)
SIDE = 160
tried = partial(fault, "Disk and network")


def entry(url: str, content: bytes = ARCHIVE, **changes) -> Dataset:
    file = {"name": "tiny.tar.gz", "urls": [url], "sha256": sha256(content), "format": "tar"}
    known = {"id": "tiny", "label": "Tiny", "licence": "none", "task": "object", "clip_template": "{}"}
    known |= {"classes": 2, "train": 4, "val": 2, "test": 2, "split": {"rule": "folders"}, "images": "images"}
    return Dataset(**known | {"source": {"kind": "url", "files": [file]}} | changes)


def unpacked(folder: Path) -> bool:
    """Whether every file is there, and nothing beside what belongs there."""
    beside = {path.name for path in folder.iterdir()} == {"images", "tiny.tar.gz", ".tiny.tar.gz.done"}
    return beside and all((folder / name).read_bytes() == content for name, content in SMALL.items())


@pytest.fixture
def archive(tmp_path) -> Dataset:
    """A set whose archive lies in ``raw`` and nowhere else."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/tiny.tar.gz").write_bytes(ARCHIVE)
    return entry("http://127.0.0.1:1/nowhere")


@pytest.mark.parametrize("kills", KILLS)
@tried(
    "kill -9 while unpacking, at ten random moments",
    "every file is whole or not there; the next run unpacks once more, without a download, and leaves nothing beside",
)
def test_kill_unpacking(tmp_path, archive, kills):
    raw = tmp_path / "raw"
    for _ in killed(partial(fetch, archive, raw), kills, within=0.8):
        for path in (raw / "images").rglob("*.txt"):
            assert path.read_bytes() == SMALL[path.relative_to(raw).as_posix()]
    fetch(archive, raw)
    assert unpacked(raw)


@tried("two processes unpack one archive", "both end well, every file is whole")
def test_two_processes_unpack(tmp_path, archive):
    assert at_once([partial(fetch, archive, tmp_path / "raw")] * 2) == [0, 0]
    assert unpacked(tmp_path / "raw")


def write_cache(folder: Path, out: Path) -> None:
    items = [Item(f"{number % 20}.png", 0, "a") for number in range(2000)]
    cache.write(folder, items, range(2000), SIDE, "crop", out)


@pytest.fixture
def images(tmp_path) -> Path:
    folder, random = tmp_path / "images", np.random.default_rng(0)
    folder.mkdir()
    for number in range(20):
        pixels = random.integers(0, 255, (200, 200, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png", compress_level=0)
    return folder


@pytest.mark.parametrize("kills", KILLS)
@tried("kill -9 while caching, at ten random moments", "same bytes; what was left is removed by the next run")
def test_kill_caching(tmp_path, images, kills):
    out, whole = tmp_path / "caches/train", tmp_path / "whole"
    write_cache(images, whole)
    for _ in killed(partial(write_cache, images, out), kills, within=1.5):
        assert not out.exists() or out.read_bytes() == whole.read_bytes()
        assert len(list(out.parent.glob("*"))) <= 2
    write_cache(images, out)
    assert [path.name for path in out.parent.iterdir()] == ["train"]
    assert out.read_bytes() == whole.read_bytes()


def png(shade: int) -> bytes:
    buffer = BytesIO()
    Image.effect_noise((20, 20), 50 + shade).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Makes a set ready that comes from an archive of images, and returns its manifest."""
    content = tar({f"images/{name}/{number}.png": png(number) for name in "ab" for number in range(4)})
    with FaultServer({"tiny.tar.gz": content}) as server:
        one = entry(f"{server.url}/tiny.tar.gz", content)
        for module in (prepare, ready):
            monkeypatch.setattr(module, "dataset", lambda id: one)

        def make() -> dict:
            make_ready("tiny", tmp_path / "prepared", tmp_path / "raw", 1, DIRECT, None)
            assert len(server.asked) == 1
            return json.loads((tmp_path / "prepared/manifest.json").read_text())

        yield make


@pytest.mark.parametrize("kept", [0, 200])
@tried("an unpacked image that was cut off", "unpacked once more, no download; same digest")
def test_short_image(tmp_path, pictures, kept):
    before, image = pictures(), tmp_path / "raw/images/a/1.png"
    image.write_bytes(image.read_bytes()[:kept])
    assert pictures() == before


def altered(image: Path) -> None:
    content = image.read_bytes()
    middle = len(content) // 2
    image.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


@tried(
    "an unpacked image with an altered byte, which no longer decodes", "unpacked once more, no download; same digest"
)
def test_altered_image(tmp_path, pictures):
    before = pictures()
    altered(tmp_path / "raw/images/a/1.png")
    assert pictures() == before


@tried("an unpacked image that decodes and is another", "one line; deleted, as it says, it is unpacked once more")
def test_other_image(tmp_path, pictures):
    before, image = pictures(), tmp_path / "raw/images/a/1.png"
    image.write_bytes(png(9))
    one_line(
        pictures, r"1 of 8 images are not what they were .*images/a/1\.png.*what you delete comes from its archive"
    )
    image.unlink()
    assert pictures() == before


@tried("a damaged image and a damaged archive", "the archive is fetched again, then unpacked; same digest")
def test_altered_archive(tmp_path):
    content = tar({f"images/{name}/{number}.png": png(number) for name in "ab" for number in range(4)})
    with FaultServer({"tiny.tar.gz": content}) as server:
        one = entry(f"{server.url}/tiny.tar.gz", content)
        fetch(one, tmp_path)
        whole = (tmp_path / "images/a/1.png").read_bytes()
        altered(tmp_path / "images/a/1.png")
        altered(tmp_path / "tiny.tar.gz")
        assert heal(one, tmp_path)
    assert (tmp_path / "images/a/1.png").read_bytes() == whole


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of so many bytes; where nobody may mount one the test is left out."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"needs a small disk, and may not mount one: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file may be larger than so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def one_line(work, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        work()
    assert "\n" not in str(error.value)


@tried("the disk fills up while downloading", "one line; with room again the next run goes on where it stopped")
def test_full_disk_downloading(tmp_path):
    content = os.urandom(600_000)
    with small_disk(tmp_path / "disk", 400_000) as disk, FaultServer({"tiny.tar.gz": content}) as server:
        ballast = disk / "ballast"
        ballast.write_bytes(b"0" * 100_000)
        one = entry(f"{server.url}/tiny.tar.gz", content)
        one_line(partial(fetch, one, disk), "cannot write .*, the disk is full: free some space and start again")
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,size=2000000", disk], check=True)
        with pytest.raises(UserError, match=r"tiny\.tar\.gz is truncated or no tar archive"):  # these bytes are none
            fetch(one, disk)
        assert (disk / "tiny.tar.gz").read_bytes() == content
        assert int(server.asked[-1][1].removeprefix("bytes=").removesuffix("-")) > 200_000


@tried("the disk fills up while unpacking", "one line; nothing is left beside the archive")
def test_full_disk_unpacking(tmp_path, archive):
    with small_disk(tmp_path / "disk", len(ARCHIVE) + 400_000) as disk:
        (disk / "tiny.tar.gz").write_bytes(ARCHIVE)
        one_line(partial(fetch, archive, disk), "the disk is full")
        assert {path.name for path in disk.iterdir()} == {"tiny.tar.gz", ".tiny.tar.gz.done"}


@tried("the disk fills up while caching", "one line; nothing is left")
def test_full_disk_caching(tmp_path, images):
    with small_disk(tmp_path / "disk", 500_000) as disk:
        one_line(partial(write_cache, images, disk / "train"), "the disk is full")
        assert list(disk.iterdir()) == []


@tried("a limit of file sizes (ulimit -f) while downloading or caching", "one line that names the limit")
def test_file_size_limit(tmp_path, images):
    with FaultServer({"tiny.tar.gz": ARCHIVE}) as server:
        one = entry(f"{server.url}/tiny.tar.gz")
        works = [partial(fetch, one, tmp_path / "raw"), partial(write_cache, images, tmp_path / "train")]
        codes = [in_small_files(work) for work in works]
    assert codes == [0, 0]


def in_small_files(work) -> int:
    def limited():
        with small_files(20_000):
            one_line(work, r"larger than it may be here: raise the limit \(ulimit -f\)")

    return at_once([limited])[0]


FAILS = """
import sys
from papertables.base.scripting import script
with script(sys.argv[1]):
    while True:
        print("at work " * 1000)
"""


def last_words(log: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", FAILS, log], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@tried("the disk that the log lies on is full", "one line on the terminal, no traceback")
def test_full_disk_under_the_log(tmp_path):
    with small_disk(tmp_path / "disk", 50_000) as disk:
        code, said = last_words(disk / "log")
        assert failure("train", str(disk / "log")).startswith("train failed and left no reason, for the disk is full")
    assert (code, said) == (1, "error: the disk is full: free some space and start again, what is finished is kept\n")


@tried("a log that outgrows the limit of file sizes", "one line on the terminal, no traceback")
def test_file_size_limit_of_the_log(tmp_path):
    with small_files(50_000):
        code, said = last_words(tmp_path / "log")
    assert code == 1
    assert said.startswith("error: a file would be larger than it may be here") and said.count("\n") == 1
