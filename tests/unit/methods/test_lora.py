"""LoRA in a tiny ViT: adapters begin as nothing; they and the last layer alone are trained and kept."""

from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from papertables.backbones import catalog, classifier
from papertables.base.errors import UserError
from papertables.data.cache import ImageCache
from papertables.methods.inputs import MethodInputs
from papertables.methods.lora import adapted
from papertables.methods.table import METHODS, build
from papertables.specs.spec import Training
from papertables.training.loop import Trainer
from papertables.training.run import Run, trained_values
from tests.unit.small_world import CLASSES, MARGIN, PER_CLASS, SIDE, World, mapped_spec, whole
from tests.unit.training.test_job import EVERY_EPOCH, learners, results, same

pytestmark = pytest.mark.slow

WIDTH, DEPTH, RANK = 24, 2, 3
OPTIONS = METHODS["lora"].options | {"rank": RANK}
ADAPTERS = {f"adapters.{block}.{part}.weight" for block in range(DEPTH) for part in "AB"}
LAST_LAYER = {"logits.linear.weight", "logits.linear.bias"}
VALUES = DEPTH * RANK * (WIDTH + 3 * WIDTH)
TRAINING = Training(
    epochs=2,
    batch_size=5,
    optimizer={"name": "adam", "lr": 0.01},
    schedule={"name": "multistep", "milestones": [0.5, 0.72]},
)


def vit():
    return timm.create_model("vit_tiny_patch16_224", img_size=SIDE, depth=DEPTH, embed_dim=WIDTH, num_heads=2)


@pytest.fixture(scope="module")
def tower():
    """Frozen, without its last layer, as ``FrozenClassifier`` makes it."""
    torch.manual_seed(0)
    model = vit().eval().requires_grad_(False)
    model.head = torch.nn.Identity()
    return model


@pytest.fixture(scope="module")
def pixels():
    return torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def learner(tower, seed=1, method="lora"):
    context = MethodInputs(
        image_size=SIDE,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        weight=torch.zeros(10, WIDTH),
        bias=torch.zeros(10),
        class_count=len(CLASSES),
        seed=seed,
        tower=tower,
    )
    return build(method, OPTIONS if method == "lora" else METHODS[method].options, context)


def images(count: int) -> ImageCache:
    drawn = np.random.default_rng(0).integers(0, 256, count * 3 * SIDE * SIDE, dtype=np.uint8)
    offsets = np.arange(count + 1) * 3 * SIDE * SIDE
    return ImageCache(np.arange(count), np.arange(count) % len(CLASSES), np.full((count, 2), SIDE), offsets, drawn)


def train(tower, *chosen, count=12) -> list[Run]:
    """Trains (method, seed) together."""
    runs = [Run(f"{m} {seed}", learner(tower, seed, m), TRAINING, seed, np.arange(count)) for m, seed in chosen]
    Trainer(runs, SimpleNamespace(encode_image=tower), torch.device("cpu"), SIDE, TRAINING.batch_size, "none").train(
        images(count), whole(images(6))
    )
    return runs


def test_adapters_begin_as_nothing_and_come_from_the_seed(tower, pixels):
    one, again, other = learner(tower, 1), learner(tower, 1), learner(tower, 2)
    assert torch.equal(one.features(pixels), tower(pixels))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in one.state_dict().items())
    for block, of_other in zip(one.adapters, other.adapters, strict=True):
        assert not torch.equal(block["A"].weight, of_other["A"].weight)
        assert not block["B"].weight.any()


def test_making_adapters_leaves_the_random_stream_of_torch_alone(tower):
    before = torch.random.get_rng_state()
    learner(tower)
    assert torch.equal(before, torch.random.get_rng_state())


def test_features_are_those_of_the_merged_weights(tower, pixels):
    """W + B A in the place of W, without any other scale."""
    one, merged = learner(tower), vit().eval()
    merged.head = torch.nn.Identity()
    merged.load_state_dict(tower.state_dict())
    with torch.no_grad():
        for block, layer in zip(one.adapters, merged.blocks, strict=True):
            block["B"].weight.normal_()
            layer.attn.qkv.weight += block["B"].weight @ block["A"].weight
    torch.testing.assert_close(one.features(pixels), merged(pixels))
    assert not torch.allclose(one.features(pixels), tower(pixels), atol=0.1)


def test_a_copy_shares_the_frozen_weights_and_adapts_nothing_else(tower):
    one = adapted(tower, RANK)
    frozen = {tensor.data_ptr() for tensor in tower.parameters()}
    trained = [tensor for tensor in one.parameters() if tensor.data_ptr() not in frozen]
    assert sum(tensor.numel() for tensor in trained) == VALUES
    assert [tensor for tensor in one.parameters() if tensor.requires_grad] == trained
    assert type(tower.blocks[0].attn.qkv) is torch.nn.Linear


def test_the_state_holds_no_frozen_weight(tower):
    one = learner(tower)
    assert set(one.state_dict()) == {name for name, _ in one.named_parameters()} == ADAPTERS | LAST_LAYER
    assert trained_values(one) == VALUES + (WIDTH + 1) * len(CLASSES)


def test_training_changes_all_of_the_state_and_nothing_frozen(tower):
    frozen, before = {name: value.clone() for name, value in tower.state_dict().items()}, learner(tower).state_dict()
    (run,) = train(tower, ("lora", 1))
    assert all(torch.equal(value, frozen[name]) for name, value in tower.state_dict().items())
    assert not any(torch.equal(value, before[name]) for name, value in run.last_state.items())


def test_a_kept_state_gives_the_same_features(tower, pixels):
    (run,) = train(tower, ("lora", 1))
    other = learner(tower, seed=2)
    other.load_state_dict(run.last_state)
    assert torch.equal(other.features(pixels), run.learner.features(pixels))
    assert not torch.equal(other.features(pixels), tower(pixels))


def test_packed_equals_alone_also_beside_a_run_through_the_shared_tower(tower):
    """Bit for bit: each sees the same batches in calls of its own."""
    chosen = [("lora", 1), ("finetune", 1), ("lora", 2)]
    for together, one in zip(train(tower, *chosen), chosen, strict=True):
        (alone,) = train(tower, one)
        assert together.curve == alone.curve
        assert all(torch.equal(value, alone.last_state[name]) for name, value in together.last_state.items())


def test_rank_6_comes_nearest_to_the_published_number_of_vit_l():
    """Table 13 of SMM prints 0.60M extra parameters."""
    with torch.device("meta"):
        large = timm.create_model("vit_large_patch16_384").requires_grad_(False)
    counts = {
        rank: sum(value.numel() for value in adapted(large, rank).parameters() if value.requires_grad)
        for rank in (5, 6, 7)
    }
    assert counts == {rank: rank * (1024 + 3072) * 24 for rank in counts}
    assert min(counts, key=lambda rank: abs(counts[rank] - 600_000)) == METHODS["lora"].options["rank"] == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "resnet18"}, "a backbone of kind torchvision: take a ViT of kind timm"),
        ({"backbone": "clip_vit_b16"}, "a backbone of kind clip: take a ViT of kind timm"),
        ({"options": OPTIONS | {"rank": 0}}, "options: rank must be at least 1, not 0"),
        ({"options": OPTIONS | {"rank": 1.5}}, "options: rank is 1.5: it must be a whole number"),
    ],
)
def test_what_cannot_be_adapted_is_known_when_planning(changes, message):
    given = {"options": OPTIONS, "backbone": "vit_l_384", "dataset": "dtd"}
    METHODS["lora"].check(mapped_spec("lora", **given))
    with pytest.raises(UserError, match=message):
        METHODS["lora"].check(mapped_spec("lora", **(given | changes)))


def test_a_tower_of_another_make_is_refused():
    with pytest.raises(
        UserError, match=r"^LoRA: ResNet has no layers blocks\.\*\.attn\.qkv to adapt: take a ViT of timm's$"
    ):
        adapted(timm.create_model("test_resnet"), RANK)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The small world with a ViT of timm's, of random weights."""
    folder = tmp_path_factory.mktemp("world")
    torch.manual_seed(0)
    save_file(vit().state_dict(), folder / "vit.safetensors")
    changes = {"kind": "timm", "embed_dim": WIDTH, "classes": 1000, "file": str(folder / "vit.safetensors")}
    entry = catalog.backbone("mini-cls-vit").model_copy(update={"id": "small-vit", **changes})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalog.backbones(), entry.id, entry)
        patch.setattr(classifier, "build", lambda backbone: vit())
        yield World(folder, entry.id)


def test_a_job_trains_and_keeps_its_runs(world, tmp_path):
    """Beside finetuning of the last layer alone, in one group; a second job makes the same anew."""
    square = {"fit": "square", "augmentation": "crop_flip", "margin": MARGIN}
    given = {"backbone": "small-vit", "images": square}
    finetune = mapped_spec("finetune", options=METHODS["finetune"].options, **given)
    specs = [finetune, *(mapped_spec("lora", seed=seed, options=OPTIONS, **given) for seed in (1, 2))]
    lines = world.train(specs, tmp_path / "one", training=EVERY_EPOCH)
    last_layer = (WIDTH + 1) * len(CLASSES)
    assert [line["parameters"] for line in lines] == [last_layer, VALUES + last_layer, VALUES + last_layer]
    assert {line["cost"]["group_size"] for line in lines} == {3}
    assert {line["evaluations"][0]["images"] for line in lines} == {PER_CLASS["test"] * len(CLASSES)}
    kept = learners(tmp_path / "one", specs)
    assert {name.removeprefix("last.") for name in kept[1] if name.startswith("last.")} == ADAPTERS | LAST_LAYER
    assert kept[1]["last.adapters.0.B.weight"].any()
    assert results(world.train(specs, tmp_path / "two")) == results(lines)
    assert same(learners(tmp_path / "two", specs), kept)
