"""What SMM's options must fulfil, known without torch."""

from papertables.errors import UserError

LAYERS = (5, 6)
PATCHES = (1, 2, 4, 8, 16, 32)
CHANNELS = (1, 3)


def check_mask_options(size: int, layers: int, patch: int, channels: int, width: int) -> None:
    """Raises UserError for the first option that cannot work on an input of ``size`` pixels."""
    for name, value, allowed in (
        ("layers", layers, LAYERS),
        ("patch", patch, PATCHES),
        ("channels", channels, CHANNELS),
    ):
        if value not in allowed:
            raise UserError(f"option {name} is {value}: it must be one of {', '.join(map(str, allowed))}")
    if width != int(width) or width < 1:
        raise UserError(f"option width is {width}: it must be a whole number of at least 1")
    if patch > 2 ** (layers - 1):
        raise UserError(
            f"option patch is {patch}: it needs {LAYERS[-1]} layers, as each but the last can halve the mask"
        )
    if size % patch:
        raise UserError(f"option patch is {patch}: an input of {size} pixels cannot be cut into such patches")
