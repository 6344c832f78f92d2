"""The label mappings that a run leaves, epoch by epoch, as ``training.mapping_history`` writes them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from papertables.base.errors import UserError
from papertables.base.seals import check_zip

ROUNDING = 0.01  # of up to 20 weights in fp16


def read_mappings(path: Path) -> dict[str, np.ndarray]:
    """The arrays of ``Mappings.file``; UserError where there is no such file or it contradicts itself."""
    mend = f"delete {path.parent} and run again"
    try:
        check_zip(path)
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no label mappings ({error}): {mend}") from None
    for problem in _problems(found):
        raise UserError(f"{path}: no label mappings ({problem}): {mend}")
    return found


def _problems(found: Mapping[str, np.ndarray]) -> Iterator[str]:
    """What cannot be of one run."""
    lacking = {"epochs", "sources", "weights", "changes"} - set(found)
    if lacking:
        yield f"without {', '.join(sorted(lacking))}"
        return
    epochs, sources, weights, changes = (found[name] for name in ("epochs", "sources", "weights", "changes"))
    yield from _ascending("epochs", epochs)
    if sources.ndim != 3 or sources.shape != weights.shape or not len(epochs) == len(sources) == len(changes):
        yield "not one mapping per epoch"
        return
    if not np.issubdtype(sources.dtype, np.integer) or (sources < 0).any():
        yield "a source label is no number of one"
    if not ((weights >= 0) & (weights <= 1)).all():
        yield "a weight is not in [0, 1]"
    if (np.diff(weights, axis=2) > 0).any() or (weights.sum(2, dtype=np.float32) > 1 + ROUNDING).any():
        yield "the weights of a class do not descend, or sum to more than 1"
    if not (np.isfinite(changes[1:]) & (changes[1:] >= 0)).all():
        yield "a change is not a finite number of at least 0"
    if "program_epochs" in found:
        yield from _ascending("program_epochs", found["program_epochs"])
    if "programs" in found and len(found["programs"]) != len(found.get("program_epochs", ())):
        yield "not one program per epoch"
    if "programs" in found and not np.isfinite(found["programs"]).all():
        yield "a program is not finite"


def _ascending(name: str, epochs: np.ndarray) -> Iterator[str]:
    if epochs.ndim != 1 or (epochs < 1).any() or (np.diff(epochs) <= 0).any():
        yield f"{name} do not ascend from 1 on"
