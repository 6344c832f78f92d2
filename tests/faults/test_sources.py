"""Everything that is fetched, from servers that go wrong: what ends well all the same, and what ends in one line that
loses nothing."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import repeat
from pathlib import Path

import pytest
import yaml

from papertables.backbones.catalog import backbone
from papertables.base.errors import UserError
from papertables.data import transfer
from papertables.data.catalog import CATALOG, Dataset
from papertables.data.download import download, fetch
from papertables.data.transfer import Network
from tests.archives import sha256
from tests.fault_server import Fault, FaultServer, busy, page, redirect
from tests.faults.table import matrix
from tests.rehearsal.archives import SETS
from tests.rehearsal.world import rewrite

SURVIVED, LINE = "survived", "one line"
FAULTS: dict[str, Callable[[str], Iterable[Fault]]] = {  # of the first address, by its other place
    "breaks off": lambda _: [Fault(cut=600)],
    "falls silent": lambda _: [Fault(cut=600, stall=30)],
    "no ranges": lambda _: [Fault(cut=600), Fault(ignores_range=True)],
    "redirects": lambda other: repeat(redirect(other)),
    "503, 429": lambda _: [busy(), busy(429, "0")],
    "sends a page": lambda _: [page()],
    "altered once": lambda _: [Fault(altered=True)],
    "altered for ever": lambda _: repeat(Fault(altered=True)),
    "refuses (403)": lambda _: repeat(Fault(403)),
    "404": lambda _: repeat(Fault(404)),
}
HARD = ("altered once", "altered for ever", "refuses (403)", "404")
ALONE = dict.fromkeys(FAULTS, SURVIVED) | dict.fromkeys(HARD, LINE)
SOURCES: dict[str, tuple[str, str, dict[str, str]]] = {  # the data set, the part of its first address, how it ends
    "archive with a second address (EuroSAT)": ("eurosat", "/EuroSAT.zip", dict.fromkeys(FAULTS, SURVIVED)),
    "archive with another in its place (DTD)": ("dtd", "/dtd-r1.0.1.tar.gz", dict.fromkeys(FAULTS, SURVIVED)),
    "archive at one address (GTSRB)": ("gtsrb", "/GTSRB-Training_fixed.zip", ALONE),
    "archive without a checksum (Stanford Cars)": (
        "stanford_cars", "/stanford_cars.zip", ALONE | {"altered once": SURVIVED}
    ),
    "file that is read as it is (SVHN)": ("svhn", "/test_32x32.mat", ALONE),
    "ImageNet's list of classes": ("imagenet", "/ILSVRC2012_devkit_t12.tar.gz", ALONE),
    "split file (Food101)": ("food101", "/split_zhou_Food101.json", ALONE),
}  # fmt: skip
WEIGHTS = "weights (ResNet-18), and so sentences"
ENDS = {source: ends for source, (*_, ends) in SOURCES.items()} | {WEIGHTS: ALONE}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(transfer, "CHUNK", 100)
    monkeypatch.setattr(transfer, "STALLED", 0.2)
    with FaultServer() as server:
        yield server


def fetched(source: str, server: FaultServer, folder: Path) -> tuple[str, Callable[[], None]]:
    """The address on the server that is to go wrong, and what fetches the source."""
    network = Network({"https://": f"{server.url}/", "http://": f"{server.url}/"}, patience=2)
    if source == WEIGHTS:
        content = bytes(range(256)) * 10
        file = backbone("resnet18").published.model_copy(update={"sha256": sha256(content)})
        server.files = {(first := file.urls[0].removeprefix("https://")): content}
        return first, partial(download, file, folder, network)
    id, part, _ = SOURCES[source]
    web, brought = rewrite(entry := yaml.safe_load(CATALOG.read_text())[id], SETS[id]())
    for name, content in brought.items():
        (folder / name).write_bytes(content)
    server.files = {url.partition("://")[2]: content for url, content in web.items()}
    first = next(url for url in server.files if url.endswith(part))
    return first, partial(fetch, Dataset(id=id, **entry), folder, network)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("source", ENDS)
@matrix("Sources", "source", ENDS)
def test_every_source_and_every_fault(server, tmp_path, source, fault):
    address, bring = fetched(source, server, tmp_path)
    server.files["other"] = server.files[address]
    server.spoil(address, FAULTS[fault](f"{server.url}/other"))
    if ENDS[source][fault] == SURVIVED:
        bring()
    else:
        with pytest.raises(UserError) as error:
            bring()
        assert "\n" not in str(error.value) and address.rpartition("/")[2] in str(error.value)
        server.spoil(address, [])
        bring()
    asked = len(server.asked)
    bring()
    assert len(server.asked) == asked
    assert not [path for path in tmp_path.rglob("*") if ".part" in path.name]
