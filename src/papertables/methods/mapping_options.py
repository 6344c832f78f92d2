"""The label mappings by name, and what their options must fulfil, known without torch."""

from papertables.errors import UserError

MAPPINGS = {  # rule, and when it is made: once before training, before every epoch, or from the last epoch's training
    "rlm": ("random", "once"),
    "flm": ("one_to_one", "once"),
    "ilm": ("one_to_one", "epoch"),
    "blm": ("bayesian", "epoch"),
    "blmp": ("bayesian_topk", "epoch"),
    "ilm_fast": ("one_to_one", "fast"),
    "blm_fast": ("bayesian", "fast"),
    "blmp_fast": ("bayesian_topk", "fast"),
}
TRAINED_OUTPUTS = ("learned", "learned_sigmoid", "last_layer")


def makes_mapping(name: str) -> bool:
    """Whether a mapping is made from passes over the training set."""
    return MAPPINGS.get(name, ("random",))[0] != "random"


def check_mapping_options(mapping: str, laplace: float, ratio: float, classes: int, labels: int | None) -> None:
    """Raises UserError for the first option that cannot work with C ``classes`` and S source ``labels`` (None: more
    than classes, whatever their number)."""
    known = (*MAPPINGS, *TRAINED_OUTPUTS)
    if mapping not in known:
        raise UserError(f"option mapping is '{mapping}': choose one of {', '.join(known)}")
    if mapping == "last_layer" and labels is None:
        raise UserError("option mapping is 'last_layer': it replaces the last layer of a classifier, a CLIP has none")
    if laplace < 0:
        raise UserError(f"option laplace is {laplace}: it must not be negative")
    if not 0 < ratio <= 1:
        raise UserError(f"option ratio is {ratio}: it must lie above 0 and at most at 1")
    rule = MAPPINGS.get(mapping, ("trained",))[0]
    if rule in ("random", "one_to_one") and labels is not None and classes > labels:
        raise UserError(f"{classes} classes, but only {labels} source labels: take mapping blm or blmp")
