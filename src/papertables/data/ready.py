"""A data set from its source to a prepared folder; what turns out to be damaged comes from its archive once more."""

from pathlib import Path

from papertables.data import raw as raw_folder
from papertables.data.catalog import dataset
from papertables.data.download import fetch, heal
from papertables.data.prepare import DamagedImages, has_subset, prepare
from papertables.data.transfer import Network


def make_ready(name: str, prepared: Path, raw: Path, seed: int, network: Network, told: str | None) -> None:
    """Fetches a data set into ``raw`` and prepares it in ``prepared``; notes how the raw folder was found.

    told: what ``raw.state`` told when this was planned. Raises a UserError as ``fetch`` and ``prepare`` do.
    """
    taken_as_it_is = has_subset(raw)
    if not taken_as_it_is:
        fetch(dataset(name), raw, network)
    found = raw_folder.stamps(raw)  # before it is read: what changes meanwhile is noticed next time
    try:
        prepare(name, prepared, raw, seed)
    except DamagedImages as error:
        if taken_as_it_is or not heal(dataset(name), raw, network):
            raise
        print(f"{error}; unpacked once more", flush=True)
        found = raw_folder.stamps(raw)
        prepare(name, prepared, raw, seed)
    raw_folder.note(prepared, found, told)
