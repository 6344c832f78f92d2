"""A small part of ``make rehearsal``: from archives and weights in the published formats, and a server that goes wrong,
to a table through Snakemake."""

import pytest
import yaml

from tests.rehearsal.play import play
from tests.rehearsal.world import CODE, make_world
from tests.workflow.conftest import REPOSITORY

KNOWN = {"sha256", "md5", "git_blob", "bytes", "classes", "train", "val", "test", "checked", "names"}


@pytest.mark.slow
@pytest.mark.faults  # more than a minute or two
def test_from_archives_to_a_table(tmp_path, capfd):
    assert play(tmp_path, ("cifar10", "gtsrb"), ("resnet18",), ("blm_rehearsal_part",), pilot=False) == 0
    printed = capfd.readouterr().out
    assert "missing" not in printed.partition("data set")[2]
    table = tmp_path / "project/results/rehearsal/tables/blm/rehearsal_part.md"
    assert "CIFAR10" in table.read_text() and "GTSRB" in table.read_text()


def test_only_checksums_and_counts_are_the_rehearsals(tmp_path):
    make_world(tmp_path)
    path = CODE / "data/catalog.yaml"
    ours, theirs = (yaml.safe_load((root / path).read_text()) for root in (REPOSITORY, tmp_path / "project"))
    assert ours.keys() == theirs.keys()
    assert set(changed(ours, theirs)) <= KNOWN


def changed(one: object, other: object, key: str = ""):
    """The last keys under which two documents differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            yield from changed(one.get(name), other.get(name), name)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for pair in zip(one, other, strict=True):
            yield from changed(*pair, key)
    elif one != other:
        yield key
