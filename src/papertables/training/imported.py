"""Checkpoints that the released trainers wrote, scored as one of our runs."""

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile, is_zipfile

import torch
from torch import Tensor, nn

from papertables.base.errors import UserError
from papertables.base.files import file_digest
from papertables.methods.released_names import METHODS, our_name
from papertables.results.imports import Imported
from papertables.results.metrics import Evaluation, Score
from papertables.specs.rules import TrainJob
from papertables.specs.spec import RunSpec
from papertables.training.evaluate import TestSets
from papertables.training.loop import Trainer
from papertables.training.predict import untrained
from papertables.training.run import Run

PREFIX = "prompt_learner."  # which trainers leave away that save their prompts alone


def check_import(spec: RunSpec, file: Path) -> None:
    """Raises UserError, before anything is made for it, where the run's method is none whose checkpoints are known, or
    the file is none."""
    if spec.method not in METHODS:
        raise UserError(f"{spec.id}: of {spec.method} no checkpoints are known: name a run of {', '.join(METHODS)}")
    read_checkpoint(file)


def files_for(job: TrainJob, spec: RunSpec) -> list[str]:
    """What scoring as one of a job's runs reads."""
    own = [job.caches[spec.test_cache], *filter(None, [job.searches.get(spec.id)])]
    return [*job.frozen.files, *own, *job.transfer.files]


def import_checkpoint(job: TrainJob, spec: RunSpec, file: Path, device: str = "cpu") -> Imported:
    """What the prompts in a checkpoint of Dassl's score on all that one of a job's runs is scored on, unless prompts
    name other attributes there. Raises UserError where it is no such checkpoint, or not of a run like this."""
    epoch, state = read_checkpoint(file)
    learner, tower = untrained(job, spec, device)
    give(learner, state, file)
    sets, scored = TestSets(job, lambda: tower), []
    run = Run(spec.id, learner, spec.training, spec.seed, None)
    trainer = Trainer([run], tower, tower.device, spec.image_size, spec.training.batch_size_for(spec.shots))
    for target in (spec.target, *job.transfer.targets.get(spec.id, ())):
        if not target.attributes:
            test = sets.make(spec, target)
            (accuracy,) = trainer.accuracies([run], test)
            about = {"dataset": target.dataset, "classes": target.classes, "images": len(test)}
            scored.append(Evaluation(**about, last=Score(epoch=epoch, accuracy=accuracy)))
    return Imported(run=spec.id, file=file.name, sha256=file_digest(file), evaluations=scored)


def read_checkpoint(file: Path) -> tuple[int, dict[str, Tensor]]:
    """Its epoch and the parameters that ours have, by our names."""
    _refuse_programs(file)
    try:
        content = torch.load(file, map_location="cpu", weights_only=False, pickle_module=TENSORS_ALONE)
        epoch, state = int(content["epoch"]), dict(content["state_dict"])
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except Exception as error:  # what torch raises depends on the bytes
        raise UserError(f"{file}: no checkpoint of Dassl's, with 'epoch' and 'state_dict' ({error})") from None
    named = {own: value for name, value in state.items() if (own := our_name(name) or our_name(f"{PREFIX}{name}"))}
    if not named:
        raise UserError(f"{file}: none of {', '.join(sorted(state)[:5])} is a parameter of CoOp, CoCoOp, MaPLe or DePT")
    return epoch, named


def _refuse_programs(file: Path) -> None:
    """Raises UserError for an archive of TorchScript's, which torch would run whatever reads its pickles."""
    if is_zipfile(file):
        with ZipFile(file) as archive:
            if any(name.endswith("constants.pkl") for name in archive.namelist()):
                raise UserError(f"{file}: it holds a program, no checkpoint of Dassl's")


@torch.no_grad()
def give(learner: nn.Module, state: Mapping[str, Tensor], file: Path) -> None:
    """Every parameter of the learner its own; raises UserError where one is missing or of another shape, and where the
    state has more."""
    wanted = dict(learner.named_parameters())
    for name in sorted(wanted.keys() | state.keys()):
        shapes = [tuple(each[name].shape) if name in each else "nothing" for each in (wanted, state)]
        if shapes[0] != shapes[1]:
            raise UserError(
                f"{file}: {name} is {shapes[1]} there and {shapes[0]} in the run: name a run of the same method, with "
                "as many tokens, attributes and blocks"
            )
        wanted[name].copy_(state[name])


class _Ignored:
    """Stands for whatever is no tensor, such as an optimiser or a schedule, and does nothing."""

    def __init__(self, *_, **__): ...

    def __setstate__(self, state): ...

    def __setitem__(self, key, value): ...


class _TensorsAlone(pickle.Unpickler):
    """Makes nothing but tensors and plain containers, so that a checkpoint cannot run code."""

    def find_class(self, module: str, name: str):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2") or (module == "torch" and name.endswith("Storage")):
            return super().find_class(module, name)
        return _Ignored


TENSORS_ALONE = SimpleNamespace(
    Unpickler=_TensorsAlone, load=lambda file, **how: _TensorsAlone(file, **how).load(), __name__="tensors_alone"
)
