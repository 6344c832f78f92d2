"""What the options of methods must fulfil, known without torch."""

from papertables.errors import UserError


def check_options(options: dict[str, int | float], size: int) -> None:
    """Raises UserError for the first option that cannot work on an input of ``size`` pixels.

    ``k`` above ``m`` is allowed: it means all m sentences, as in the released code.
    """
    for name in ("pad", "inner", "k", "m"):
        if name in options and (options[name] != int(options[name]) or options[name] < 1):
            raise UserError(f"option {name} is {options[name]}: it must be a whole number of at least 1")
    if "pad" in options and 2 * options["pad"] > size:
        raise UserError(f"option pad is {options['pad']}: two frames do not fit into an input of {size} pixels")
    if "inner" in options and options["inner"] > size:
        raise UserError(f"option inner is {options['inner']}: the image is larger than the input of {size} pixels")
    if "lam" in options and not 0 <= options["lam"] <= 1:
        raise UserError(f"option lam is {options['lam']}: it must lie between 0 and 1")
