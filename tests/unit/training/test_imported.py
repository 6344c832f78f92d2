"""Checkpoints of the released trainers, scored as one of our runs."""

import re

import pytest
import torch

from papertables.base.errors import UserError
from papertables.results.imports import Imported, write_imported
from papertables.results.store import Store
from papertables.specs.spec import RunSpec
from papertables.training.imported import check_import, import_checkpoint, read_checkpoint
from tests.unit.small_world import World, train
from tests.unit.training.test_prompt_jobs import NEW, spec, transfer

pytestmark = pytest.mark.slow

METHODS = {
    "coop": {"attributes": ["color", "shape"], "attribute_context": [2, 2]},
    "cocoop": {},
    "maple": {"depth": 2},
    "dept": {},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return World(tmp_path_factory.mktemp("imported"))


THEIRS = {  # names of Dassl's by ours
    r"prompting\.context$": "ctx",
    r"prompting\.attribute(\d)$": r"ctx_att\1",
    r"shift\.0\.": "meta_net.linear1.",
    r"shift\.2\.": "meta_net.linear2.",
    r"project\.": "proj.",
    r"deep_vectors\.(\d+)\.context$": r"compound_prompts_text.\1",
    r"deep_projects\.(\d+)\.": r"compound_prompt_projections.\1.",
    r"image_film\.": "film_lp_img.",
    r"text_film\.": "film_lp_text.",
    r"probe\.": "linear_probe_proj.",
}


def theirs(name: str) -> str:
    (named,) = (re.sub(ours, dassl, name) for ours, dassl in THEIRS.items() if re.match(ours, name))
    return named


def checkpoint(world, folder, run: RunSpec):
    """As Dassl writes one, of a run that was trained here."""
    state = {
        theirs(name): value
        for name, value in Store(folder / "runs").state(run.id, "last").items()
        if name != "similarity.scale"
    }
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1)
    schedule = {"successor": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3)}
    content = {"state_dict": state | {"token_prefix": torch.zeros(4, 1, 8)}, "epoch": 3, "scheduler": schedule}
    torch.save(content, folder / "model.pth.tar-3")
    return folder / "model.pth.tar-3"


@pytest.mark.parametrize("method", METHODS)
def test_what_it_scores_is_what_the_same_prompts_score_here(world, tmp_path, method):
    run = spec(method, **METHODS[method])
    job = world.job([run], transfer=transfer(world, [run], NEW))
    train(job, tmp_path)
    found = import_checkpoint(job, run, checkpoint(world, tmp_path, run))
    own = Store(tmp_path / "runs").record(run.id)
    assert [(each.target, each.last) for each in found.evaluations] == [
        (each.target, each.last) for each in own.evaluations
    ]
    assert Imported.model_validate_json(found.model_dump_json()) == found
    assert write_imported(tmp_path / "imported", found).is_file()


def test_one_of_another_shape_is_told(world, tmp_path):
    run = spec("coop")
    job = world.job([run])
    train(job, tmp_path)
    with pytest.raises(UserError, match=r"prompting.context is .* name a run of the same method, with as many tokens"):
        import_checkpoint(job, spec("coop", context=3), checkpoint(world, tmp_path, run))


def test_a_run_of_another_method_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(UserError, match="of promptsrc no checkpoints are known"):
        check_import(spec("promptsrc"), tmp_path / "model.pth.tar")


def test_what_is_no_checkpoint_is_told(tmp_path):
    file = tmp_path / "model.pth.tar"
    with pytest.raises(UserError, match="No such file"):
        read_checkpoint(file)
    file.write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match="no checkpoint of Dassl's"):
        read_checkpoint(file)
    torch.save({"epoch": 3, "state_dict": {"anchor_ctx_1": torch.zeros(1, 4)}}, file)
    with pytest.raises(UserError, match="none of anchor_ctx_1 is a parameter of CoOp"):
        read_checkpoint(file)


class Harmful:
    ran = False

    def __reduce__(self):
        return setattr, (Harmful, "ran", True)


def test_no_code_in_a_checkpoint_runs(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "program")
    with pytest.raises(UserError, match="it holds a program"):
        read_checkpoint(tmp_path / "program")
    torch.save({"epoch": 3, "state_dict": {"ctx": torch.zeros(4, 8)}, "optimizer": Harmful()}, tmp_path / "file")
    assert read_checkpoint(tmp_path / "file")[1]["prompting.context"].shape == (4, 8)
    assert not Harmful.ran
