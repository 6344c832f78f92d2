"""What a loss that is not finite does to a run, and that it does nothing to the runs beside it."""

import math

import pytest
import torch

from papertables.results.store import Store
from papertables.specs.spec import Fidelity, RunSpec
from papertables.training.checkpoint import Checkpoint
from papertables.training.job import _Work
from papertables.training.optimization import finite_gradients
from papertables.training.progress import summary
from tests.unit.small_world import CLASSIFIER, World, mapped_spec, spec, whole
from tests.unit.training import test_prompt_jobs as prompts
from tests.unit.training.test_job import EVERY_EPOCH, Killed, learners, results, same
from tests.unit.training.test_loop import Learner, cached, settings, trainer

pytestmark = pytest.mark.slow

IMAGES, STEPS = 12, 3  # of the little learner, in batches of 4
OPTIMIZERS = [{"name": "sgd", "lr": 0.5, "momentum": 0.9, "weight_decay": 0.01}, {"name": "adam", "lr": 0.05}]


class Failing(Learner):
    """Its loss is not finite at some steps, counted from 1 over all epochs."""

    def __init__(self, *steps: int):
        super().__init__()
        self.steps, self.seen = steps, 0

    def loss(self, *given):
        loss, logits = super().loss(*given)
        self.seen += 1
        return (loss * math.nan if self.seen in self.steps else loss), logits


def failing(*steps: int, skips: bool, epochs: int = 2, optimizer=OPTIMIZERS[0], seeds=(1,)):
    """A trainer whose first run fails."""
    one = trainer(settings(epochs=epochs, optimizer=optimizer), IMAGES, seeds)
    run = one.runs[0]
    run.learner, run.skips = Failing(*steps), skips
    run.__post_init__()  # optimisers of this learner
    return one


def train(one, checkpoint=None):
    one.train(cached(IMAGES), whole(cached(6)), checkpoint)
    return one.runs


def weights(run) -> torch.Tensor:
    return run.learner.logits.weight.detach()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda each: each["name"])
def test_a_run_that_skips_omits_what_a_gradient_scaler_omits(optimizer):
    ours, torchs = (failing(2, 5, skips=skips, optimizer=optimizer) for skips in (True, True))
    torchs.runs[0].scaler = torch.amp.GradScaler("cpu", init_scale=1.0)  # halved after a step: exact
    assert not ours.runs[0].scaler.is_enabled()
    (one,), (other,) = train(ours), train(torchs)
    assert weights(one).isfinite().all() and not torch.equal(weights(one), torch.zeros(3, 3))
    assert torch.equal(weights(one), weights(other))
    assert one.curve == other.curve


def test_each_optimiser_is_omitted_by_its_own_gradients():
    adam = {"optimizer": {"name": "adam", "lr": 0.1}, "schedule": {"name": "constant"}}
    one = trainer(settings(parts={"logits.weight": adam}), IMAGES)
    run = one.runs[0]
    run.skips = True
    before = [each.detach().clone() for each in (run.learner.logits.logit_scale, run.learner.logits.weight)]
    run.learner.logits.logit_scale.grad = torch.tensor(math.inf)
    run.learner.logits.weight.grad = torch.ones(3, 3)
    assert [finite_gradients(optimizer) for optimizer, _ in run.optimizers] == [False, True]
    run.update([0.1, 0.1])
    assert torch.equal(run.learner.logits.logit_scale, before[0])
    assert not torch.equal(run.learner.logits.weight, before[1])


def test_the_mean_loss_is_that_of_the_finite_steps():
    (run,) = train(failing(2, skips=True, epochs=1))
    (epoch,) = run.curve
    steps = []
    one = failing(2, skips=True, epochs=1)
    step = one.step
    one.step = lambda *given: steps.append(step(*given)) or steps[-1]
    train(one)
    losses = [each.losses.item() for each in steps]
    assert [math.isfinite(loss) for loss in losses] == [True, False, True]
    assert epoch.train_loss == pytest.approx((losses[0] + losses[2]) / 2)
    assert epoch.nonfinite_steps == 1
    assert run.diverged is None


def test_finite_losses_are_averaged_as_ever():
    (run,) = train(failing(skips=True))
    (other,) = train(failing(skips=False))
    assert run.curve == other.curve
    assert torch.equal(weights(run), weights(other))
    assert [epoch.nonfinite_steps for epoch in run.curve] == [0, 0]


def test_a_run_that_skips_goes_on_after_an_epoch_without_a_finite_loss():
    one = failing(*range(STEPS + 1, 2 * STEPS + 1), skips=True, epochs=3)
    seen = []
    epoch = one.epoch
    one.epoch = lambda *given: [epoch(*given), seen.append(weights(one.runs[0]).clone())][0]
    (run,) = train(one)
    assert [each.train_loss is None for each in run.curve] == [False, True, False]
    assert [each.nonfinite_steps for each in run.curve] == [0, STEPS, 0]
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2])
    assert run.curve[1].test_accuracy == run.curve[0].test_accuracy
    assert (run.diverged, run.last.epoch) == (None, 3)


def test_a_run_that_does_not_skip_ends_with_its_best_epoch_before():
    (run,) = train(failing(STEPS + 2, skips=False, epochs=3))
    (sound,) = train(failing(skips=False, epochs=1))
    assert (run.diverged.epoch, run.diverged.step) == (2, 2)
    assert len(run.curve) == 1
    assert (run.best.epoch, run.best) == (1, sound.best)
    assert torch.equal(run.best_state["logits.weight"], weights(sound))


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("steps", [(2,), tuple(range(1, 2 * STEPS + 1))], ids=["one step", "every step"])
def test_beside_a_failing_run_a_sound_one_is_as_alone(skips, steps):
    bad, sound = train(failing(*steps, skips=skips, seeds=(1, 2)))
    (alone,) = train(trainer(settings(optimizer=OPTIMIZERS[0]), IMAGES, seeds=(2,)))
    assert bool(bad.diverged) != skips
    assert torch.equal(weights(sound), weights(alone))
    assert sound.curve == alone.curve


def test_progress_tells_the_losses_that_are_known():
    (run,) = train(failing(*range(1, STEPS + 1), skips=True, epochs=1))
    (sound,) = train(failing(skips=True, epochs=1))
    assert "loss" not in summary([run])
    assert f"2 runs, loss {sound.curve[-1].train_loss:.3f}" in summary([run, sound])


# On frozen towers.


def under(on_nonfinite: str, run: RunSpec, **training) -> RunSpec:
    """The run under a rule, with changes of its training."""
    own, given = run.training.model_dump(), run.fidelity.model_dump()
    return RunSpec(
        **run.model_dump() | {"training": own | training, "fidelity": given | {"on_nonfinite": on_nonfinite}}
    )


def broken(monkeypatch, seed: int) -> None:
    """From here on, runs of this seed start with learners that hold nothing finite."""
    make = _Work.learner

    def learner(work, run, *attributes):
        made = make(work, run, *attributes)
        if run.seed == seed:
            for parameter in made.parameters():
                parameter.data.fill_(math.nan)
        return made

    monkeypatch.setattr(_Work, "learner", learner)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    return {
        "clip": World(tmp_path_factory.mktemp("clip")),
        "classifier": World(tmp_path_factory.mktemp("classifier"), CLASSIFIER),
    }


NEIGHBOURS = {  # two runs that train together
    "vp": ("clip", spec("vp"), spec("vp", 2)),
    "attrvr": ("clip", spec("attrvr"), spec("ar", 2)),
    **{name: ("clip", prompts.spec(name), prompts.spec(name, 2)) for name in ("coop", "cocoop", "maple", "dept")},
    "padding": ("classifier", mapped_spec("padding"), mapped_spec("padding", "blmp_fast", 2)),
    "smm": ("classifier", mapped_spec("smm"), mapped_spec("smm", "blm", 2)),
}


@pytest.mark.parametrize("rule", ["skip", "stop"])
@pytest.mark.parametrize("name", NEIGHBOURS)
def test_on_frozen_towers_a_failing_neighbour_is_as_good_as_a_sound_one(worlds, tmp_path, monkeypatch, name, rule):
    """Bit for bit, while as many runs train together: one that ends leaves after its epoch, the last here."""
    where, *both = NEIGHBOURS[name]
    runs = [under(rule, each, epochs=2 if rule == "skip" else 1) for each in both]
    worlds[where].train(runs, tmp_path / "fine")
    broken(monkeypatch, seed=2)
    _, line = worlds[where].train(runs, tmp_path / "broken")
    losses = [epoch["train_loss"] for epoch in line["curve"]]
    assert losses == [None, None] if rule == "skip" else line["outcome"] == "diverged"
    assert same(*(learners(tmp_path / folder, runs[:1]) for folder in ("fine", "broken")))


def test_a_run_that_skips_is_recorded_as_finished(worlds, tmp_path):
    plain = spec("vp", lr=1e38)
    (line,) = worlds["clip"].train([under("skip", plain)], tmp_path)
    assert (line["outcome"], line["diverged"]) == ("finished", None)
    steps = [epoch["nonfinite_steps"] for epoch in line["curve"]]
    assert steps[0] == steps[1] - 1 and steps[1] == steps[2]  # all but the first
    assert [epoch["train_loss"] is None for epoch in line["curve"]] == [False, True, True]
    assert Store(tmp_path / "runs").read(plain.id).nonfinite == dict(enumerate(steps, start=1))


def test_a_kept_best_epoch_is_recorded_with_its_learner(worlds, tmp_path):
    later = {"schedule": {"name": "multistep", "milestones": [0.34], "gamma": 1e36}}
    run = under("keep_best", spec("vp"), **later)
    (line,) = worlds["clip"].train([run], tmp_path)
    assert line["diverged"]["epoch"] == 2
    assert line["evaluations"][0]["best"]["epoch"] == 1
    assert Store(tmp_path / "runs").state(run.id, "best")["pixels.program"].isfinite().all()


def test_a_rule_that_changed_makes_failed_runs_alone_again(worlds, tmp_path):
    runs = [spec("vp"), spec("vp", 2, lr=1e38)]
    ended = worlds["clip"].train([under("stop", run) for run in runs], tmp_path)
    assert worlds["clip"].train([under("keep_best", run) for run in runs], tmp_path) == ended
    skipping = worlds["clip"].train([under("skip", run) for run in runs], tmp_path)
    assert skipping[0] == ended[0]
    assert (ended[1]["outcome"], skipping[1]["outcome"]) == ("diverged", "finished")
    assert results(worlds["clip"].train(runs, tmp_path)) == results(ended)


def test_failed_runs_resume(worlds, tmp_path, monkeypatch):
    """Killed after the second epoch: one run ended in it, one has left steps out, one is sound."""
    later = {"schedule": {"name": "multistep", "milestones": [0.34], "gamma": 1e36}}
    runs = [under("keep_best", spec("vp"), **later), under("skip", spec("vp", 2), **later), spec("vp", 3)]
    uncut = worlds["clip"].train(runs, tmp_path / "whole", training=EVERY_EPOCH)
    assert [line["outcome"] for line in uncut] == ["diverged", "finished", "finished"]
    assert uncut[1]["curve"][1]["nonfinite_steps"] and uncut[1]["curve"][2]["train_loss"] is None

    def kill_second(checkpoint, runs, place, force, save=Checkpoint.save):
        save(checkpoint, runs, place, force)
        if place.epoch == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save", kill_second)
        with pytest.raises(Killed):
            worlds["clip"].train(runs, tmp_path / "cut", training=EVERY_EPOCH)
    (checkpoint,) = (tmp_path / "cut" / "checkpoints").glob("*.pt")
    assert checkpoint.exists()
    resumed = worlds["clip"].train(runs, tmp_path / "cut", training=EVERY_EPOCH)
    assert results(resumed) == results(uncut)
    assert same(learners(tmp_path / "cut", runs), learners(tmp_path / "whole", runs))


def test_a_checkpoint_of_another_rule_is_not_used(worlds, tmp_path, monkeypatch):
    run = spec("vp", lr=1e38)

    def kill(checkpoint, runs, place, force, save=Checkpoint.save):
        save(checkpoint, runs, place, force)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save", kill)
        with pytest.raises(Killed):
            worlds["clip"].train([under("stop", run)], tmp_path, training=EVERY_EPOCH)
    (line,) = worlds["clip"].train([under("skip", run)], tmp_path, training=EVERY_EPOCH)
    assert (line["outcome"], len(line["curve"])) == ("finished", 3)


def test_the_rule_is_no_part_of_a_run():
    run = spec("vp")
    assert {under(rule, run).id for rule in ("stop", "keep_best", "skip")} == {run.id}
    assert Fidelity().on_nonfinite == "stop"  # what runs without a record of it were made under
