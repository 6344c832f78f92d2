"""State dicts of frozen models, in the forms in which people keep them."""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from papertables.backbones.catalog import Backbone
from papertables.base.errors import UserError, reason

WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "network")  # keys of training checkpoints
NAMED = 4  # tensors that a message names


def read_state(backbone: Backbone, path: Path) -> dict[str, Tensor]:
    """The tensors by name: of safetensors, of a TorchScript archive or of a pickled dictionary, taken out of a training
    checkpoint and without a first name that all tensors share (``module.``). Raises UserError for a file that holds
    none."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file of weights: {backbone.mend}")
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except Exception as error:  # what torch raises depends on the bytes
        raise UserError(f"{path}: cannot be read as weights ({reason(error)}): {backbone.mend}") from None
    state = _taken_out(content)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        held = _and_more(map(str, state)) if isinstance(state, dict) else type(state).__name__
        raise UserError(f"{path}: holds no state dict of tensors but {held}: {backbone.mend}")
    return _without_prefix(state)


def refusal(backbone: Backbone, path: Path, state: dict[str, Tensor], error: Exception) -> UserError:
    """The error for tensors that are not the backbone's, with what they are called."""
    problem = f"Missing key {error}" if isinstance(error, KeyError) else reason(error)
    return UserError(
        f"{path}: these are not the weights of {backbone.id}, a {backbone.architecture} ({problem}); the file "
        f"holds {_and_more(state)}: {backbone.mend}"
    )


def _unpickled(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except RuntimeError:  # of a TorchScript archive
        return torch.jit.load(path, map_location="cpu").state_dict()


def _taken_out(content: object) -> object:
    """What lies under the first of ``WRAPPERS`` that holds tensors, however deep."""
    while isinstance(content, dict):
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), None)
        if inner is None:
            return content
        content = inner
    return content


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """``module.conv1.weight`` as ``conv1.weight`` where every name begins so: no model here has all in one module."""
    while state:
        first = {name.partition(".")[0] for name in state}
        if len(first) > 1 or not all("." in name for name in state):
            return state
        state = {name.partition(".")[2]: value for name, value in state.items()}
    return state


def _and_more(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED]) or 'nothing'}{more}"
