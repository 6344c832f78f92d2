"""A data set from its source to a prepared folder; what turns out to be damaged comes from its archive once more."""

from pathlib import Path

from papertables.base.errors import UserError
from papertables.data import raw as raw_folder
from papertables.data.catalog import dataset
from papertables.data.download import fetch, heal
from papertables.data.prepare import AGAIN, DamagedImages, has_subset, prepare
from papertables.data.shared import linked
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
    except UserError as error:
        shared = ", ".join(str(link.resolve()) for link in linked(dataset(name), raw))
        if taken_as_it_is or not (shared or isinstance(error, DamagedImages)):
            raise
        _bring_anew(name, raw, network, error, shared)
        found = raw_folder.stamps(raw)
        prepare(name, prepared, raw, seed)
    raw_folder.note(prepared, found, told)


def _bring_anew(name: str, raw: Path, network: Network, error: UserError, shared: str) -> None:
    """Heals a raw folder, or raises the error that says what is wrong with it. shared: the folders that it has links
    to."""
    problem = str(error).removesuffix(f": {AGAIN}")
    print(f"{problem}; brought once more", flush=True)
    if not shared:
        if not heal(dataset(name), raw, network):
            raise error
        return
    try:
        healed = heal(dataset(name), raw, network)
    except UserError as failed:
        raise UserError(f"{problem}, in {shared}; and {failed}") from None
    if not healed:
        raise UserError(f"{problem}: mend it in {shared}, or take that out of shared_data") from None
