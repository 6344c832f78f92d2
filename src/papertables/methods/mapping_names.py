"""The label mappings and trained outputs by name, known without torch."""

MAPPINGS = {  # rule, and when it is made: once before training, before every epoch, or from the last epoch's training
    "rlm": ("random", "once"),
    "flm": ("one_to_one", "once"),
    "ilm": ("one_to_one", "epoch"),
    "blm": ("bayesian", "epoch"),
    "blmp": ("bayesian_topk", "epoch"),
    "blm_shares": ("shares", "epoch"),
    "blmp_shares": ("shares_topk", "epoch"),
    "ilm_fast": ("one_to_one", "fast"),
    "blm_fast": ("bayesian", "fast"),
    "blmp_fast": ("bayesian_topk", "fast"),
}
TRAINED_OUTPUTS = ("learned", "learned_sigmoid", "last_layer")


def makes_mapping(name: str) -> bool:
    """Whether a mapping is made from passes over the training set."""
    return MAPPINGS.get(name, ("random",))[0] != "random"
