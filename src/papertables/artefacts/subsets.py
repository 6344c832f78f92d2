"""Which data sets of an artefact are there in part only: what a user took of them is no published test set."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from papertables.data.catalog import dataset
from papertables.data.splits import SUBSET
from papertables.specs.manifests import read_manifest

PARTS = {"train": "training", "val": "validation", "test": "test"}


def read_subsets(manifests: Mapping[str, str]) -> dict[str, str]:
    """What is said of each data set that is a subset, by name: its counts and the whole's. manifests: their files, by
    data set; one that is not there yet says nothing."""
    read = {name: read_manifest(Path(path)) for name, path in manifests.items() if Path(path).exists()}
    return {name: _said(name, each) for name, each in read.items() if each.get("made_by") == SUBSET}


def _said(name: str, counts: Mapping[str, int]) -> str:
    """``EuroSAT: a subset of 20 of 13,500 training and 30 of 8,100 test images``"""
    entry = dataset(name)
    parts = [f"{counts[part]:,} of {getattr(entry, part):,} {word}" for part, word in PARTS.items() if counts[part]]
    return f"{entry.label}: a subset of {', '.join(parts[:-1])} and {parts[-1]} images"


def labels(names: Iterable[str]) -> str:
    """Data sets as the papers print them."""
    return ", ".join(dataset(name).label for name in names)
