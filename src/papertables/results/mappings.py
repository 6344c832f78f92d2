"""The label mappings that a run leaves, epoch by epoch, as ``training.mapping_history`` writes them."""

from pathlib import Path

import numpy as np

from papertables.errors import UserError


def read_mappings(path: Path) -> dict[str, np.ndarray]:
    """The arrays of ``Mappings.file``; UserError where there is no such file."""
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no label mappings ({error}): delete the run's folder and run again") from None
