"""A teacher's class vectors and the students that learn from them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from papertables.base.errors import UserError
from papertables.methods.table import METHODS
from papertables.results.store import Store
from papertables.specs.rules import TeacherFiles
from papertables.specs.spec import CacheKey, RunSpec, Target
from papertables.training.record import teacher_part
from papertables.training.teacher import Teacher, make_teacher
from tests.unit.small_world import CLASSES, NOWHERE, PER_CLASS, World, tower
from tests.unit.training.test_prompt_jobs import spec

pytestmark = pytest.mark.slow

TEACHER = spec("promptsrc", mean=2)
NEW = Target("small", "new")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("taught"))
    train = CacheKey("train", "original", 0)
    made.caches[train._replace(part="train_whole")] = made.caches[train]
    return made


@pytest.fixture
def taught(world, tmp_path):
    """The folder of a store with a teacher in it."""
    world.train([TEACHER], tmp_path)
    return tmp_path


def student(seed: int = 1, teacher: RunSpec = TEACHER) -> RunSpec:
    given = spec("coop", seed).model_dump(exclude={"shots", "fidelity"})
    given |= {"method": "promptkd", "options": METHODS["promptkd"].options | {"weight": 10}, "teacher": teacher}
    return RunSpec(**given, fidelity={"kept_epoch": "best"})


def files_of(world, folder: Path, run: RunSpec = TEACHER) -> TeacherFiles:
    return TeacherFiles(run, str(folder / "job.jsonl"), world.frozen)


def teacher(world, folder: Path, run: RunSpec = TEACHER) -> Teacher:
    return make_teacher(files_of(world, folder, run), Store(folder / "runs"), tower(world.frozen))


def learn(world, folder: Path, runs: list[RunSpec], **changes) -> list[dict]:
    files = files_of(world, folder)
    transfer = replace(NOWHERE, targets={run.id: (NEW,) for run in runs})
    tests = {run.id: 1 for run in runs}
    return world.train(
        runs, folder, teachers={run.id: files for run in runs}, tests=tests, transfer=transfer, **changes
    )


def test_class_vectors_are_of_all_classes_and_of_length_one(world, taught):
    found = teacher(world, taught)
    assert found.vectors.shape == (len(CLASSES), 64)
    torch.testing.assert_close(found.vectors.norm(dim=1), torch.ones(len(CLASSES)))
    shapes = {own.shape for own in (found.prompts.tokens, *found.prompts.deep)}
    assert shapes == {(TEACHER.options["image_context"], 64)}


def test_students_see_all_images_of_all_classes_and_are_scored_on_base_and_new_ones(world, taught):
    (line,) = learn(world, taught, [student()])
    assert [(each["classes"], each["images"]) for each in line["evaluations"]] == [("base", 8), ("new", 4)]
    steps = len(CLASSES) * PER_CLASS["train"] // 4
    assert line["cost"]["images"] == 3 * (4 * steps + 8)


def test_a_student_goes_again_with_its_teacher(world, taught):
    (first,) = learn(world, taught, [student()])
    store = Store(taught / "runs")
    found, learner = store.record(TEACHER.id), store.learner(TEACHER.id)
    assert first["fingerprint"]["teacher"] == teacher_part(found, learner)
    again = learn(world, taught, [student()])
    assert again[0]["cost"] == first["cost"]  # nothing was trained
    other = found.model_copy(update={"fingerprint": found.fingerprint.model_copy(update={"data": "1" * 64})})
    store.write(other)
    (last,) = learn(world, taught, [student()])
    assert last["fingerprint"]["teacher"] != first["fingerprint"]["teacher"]
    learner.write_bytes(learner.read_bytes() + b" ")  # as of one that was trained once more and learned another thing
    assert teacher_part(found, learner) != first["fingerprint"]["teacher"]


def of_another_depth(store: Store) -> RunSpec:
    """A teacher whose learner is that of a shallower one."""
    deeper, found = spec("promptsrc", mean=2, depth=12), store.record(TEACHER.id)
    store.learner(deeper.id).parent.mkdir()
    store.learner(deeper.id).write_bytes(store.learner(TEACHER.id).read_bytes())
    store.write(found.model_copy(update={"run": deeper.id, "spec": deeper}))
    return deeper


def test_a_teacher_that_teaches_nothing_fails_its_own_students_alone(world, taught):
    store = Store(taught / "runs")
    students = [student(1), student(1, of_another_depth(store))]
    files = {run.id: files_of(world, taught, run.teacher) for run in students}
    with pytest.raises(UserError, match="1 of 2 runs failed, the others are made and kept"):
        world.train(students, taught, teachers=files, tests=dict.fromkeys(files, 1))
    assert store.read(students[0].id) and not store.read(students[1].id)


def test_packed_students_equal_single_ones(world, taught):
    runs, store = [student(1), student(2)], Store(taught / "runs")
    learn(world, taught, runs)
    packed = [store.state(run.id, "last") for run in runs]
    for run, expected in zip(runs, packed, strict=True):
        learn(world, taught, [run], training={"retrain": run.id})
        for name, value in store.state(run.id, "last").items():
            torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-3)


def test_a_teacher_of_another_depth_is_refused(world, taught):
    deeper = of_another_depth(Store(taught / "runs"))
    with pytest.raises(
        UserError, match=r"deep\.10 is nothing, its spec has \(2, 64\): this teacher is of another depth"
    ):
        teacher(world, taught, deeper)


def test_the_spec_of_a_student_holds_its_teacher():
    one, other = student(), student(teacher=spec("promptsrc", mean=1))
    assert one.id != other.id
    assert (one.trained_classes, one.target.classes, one.train_cache.part) == ("all", "base", "train_whole")
    kept = one.model_copy(update={"fidelity": one.fidelity.model_copy(update={"kept_epoch": "last"})})
    assert kept.id == one.id


def test_a_teacher_says_the_same_of_an_image_whoever_asks(world, taught):
    found = teacher(world, taught)
    images = torch.rand(3, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(found(images)[:1], found(images[:1]), rtol=0, atol=1e-4)
