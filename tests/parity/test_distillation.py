"""PromptSRC, plain and joined to attribute anchors, and PromptKD, against what the released trainers compute."""

import re
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from papertables.backbones import clip
from papertables.backbones.frozen_features import ensemble_features, ensemble_templates
from papertables.backbones.prompts import ImagePrompts
from papertables.methods.promptkd import Learner as PromptKD
from papertables.methods.promptsrc import Learner as PromptSRC
from papertables.specs.spec import Optimizer, Schedule, Training
from papertables.training import forward as passes
from papertables.training.loop import Trainer
from papertables.training.run import Run
from tests.parity.conftest import FOLDER, inputs, openai_state

OWN = {  # names of parameters and buffers: theirs to ours
    r"prompt_learner\.ctx$": "prompting.context",
    r"prompt_learner\.ctx_att(\d)$": r"prompting.attribute\1",
    r"text_encoder\.transformer\.resblocks\.(\d+)\.VPT_shallow$": r"deep.{\1}",
    r"image_encoder\.VPT$": "image_tokens.tokens",
    r"image_encoder\.transformer\.resblocks\.(\d+)\.VPT_shallow$": r"image_tokens.deep.{\1}",
    r"VPT_image_trans\.conv1\.": "projector.",
}


def own_name(name: str) -> str:
    for theirs, ours in OWN.items():
        if re.match(theirs, name):
            return re.sub(r"\{(\d+)\}", lambda block: str(int(block[1]) - 1), re.sub(theirs, ours, name))
    raise KeyError(name)


def theirs(case, prefix: str) -> dict[str, torch.Tensor]:
    """Of a case, by our names; convolutions of one pixel as matrices."""
    found = {name[len(prefix) :]: value for name, value in case.tensors.items() if name.startswith(prefix)}
    return {own_name(name): value.flatten(1) if value.ndim == 4 else value for name, value in found.items()}


def fill(learner, values: dict[str, torch.Tensor]) -> None:
    """What no block uses stays as it was drawn."""
    own = learner.state_dict()
    assert set(values) <= set(own)
    learner.load_state_dict(own | values)


def plain_names(names) -> tuple[str, ...]:
    return tuple(name.replace("_", " ") for name in names)


def prompted(tower, names, hyper, given=None, prefix="") -> PromptSRC:
    """PromptSRC's learner with the hyper-parameters of a case."""
    given = given or inputs(tower, names)
    attributes = hyper.get("attributes", [])[: hyper.get("att_num", 0)]
    context = hyper.get(f"{prefix}n_ctx_text") or hyper.get("n_ctx")
    return PromptSRC(
        given,
        context,
        hyper[f"{prefix}n_ctx_vision"],
        hyper[f"{prefix}prompt_depth_text"],
        hyper[f"{prefix}prompt_depth_vision"],
        *(hyper.get(f"{side}_loss_weight", 1) for side in ("text", "image", "logits")),
        hyper.get("gpa_mean", 1),
        hyper.get("gpa_std", 1),
        hyper.get("ctx_init", ""),
        attributes=attributes,
        attribute_context=hyper.get("n_att"),
    )


def source(case, tower, prefix: str) -> tuple[PromptSRC, tuple[str, ...]]:
    """PromptSRC's learner of a case, with its parameters and frozen text features."""
    names = plain_names(case.facts["class_names"])
    given = inputs(tower, names, ensemble=case.tensors.get("zero_shot_text_features"))
    made = prompted(tower, names, case.facts["hyper"], given)
    fill(made, theirs(case, prefix))
    return made, names


def trained_with(hyper, **more) -> Training:
    optimizer = Optimizer(name="sgd", lr=hyper["lr"], momentum=hyper["momentum"], weight_decay=hyper["weight_decay"])
    settings = {"epochs": 1, "schedule": Schedule(name="constant")} | more
    return Training(batch_size=1, optimizer=optimizer, precision="fp32", **settings)


def gradients_agree(learner, expected: dict[str, torch.Tensor], but: set[str] = frozenset()) -> None:
    for name, parameter in learner.named_parameters():
        if name in expected and name not in but:
            wanted = expected[name]
            assert (parameter.grad - wanted).abs().max() <= 1e-4 * wanted.abs().max() + 1e-9, name
        elif name not in but:
            assert parameter.grad is None or not parameter.grad.any(), name


def looked_at(tower, learner, names, images):
    """Image and text features, and what a loss compares with."""
    (features,) = passes.image_features(tower, [learner], [images])
    (texts,) = passes.text_features(tower, [learner], [names], [features])
    (guide,) = passes.guides(tower, [learner], [images])
    return features, texts, guide


def test_prompts_of_both_towers(golden, tower):
    case = golden("promptsrc_logits")
    made, names = source(case, tower, "param.")
    init = {name.removeprefix("init."): value for name, value in case.tensors.items() if name.startswith("init.")}
    fresh = prompted(tower, names, case.facts["hyper"]).state_dict()
    for name, value in init.items():
        own = fresh[own_name(name)]
        assert own.shape == value.shape
        if name.endswith("ctx") and case.facts["hyper"]["ctx_init"]:
            case.agrees(own, value)
    features, texts, guide = looked_at(tower, made, names, case.tensors["images_u8"] / 255)
    case.agrees(features, "image_features")
    case.agrees(texts, "text_features")
    case.agrees(guide, "zero_shot_image_features")
    case.agrees(made.classify(features, texts), "logits")
    case.agrees(made.similarity(guide, case.tensors["zero_shot_text_features"]), "zero_shot_logits")
    new = plain_names(case.facts["new_class_names"])
    (texts,) = passes.text_features(tower, [made], [new], [features])
    case.agrees(made.classify(features, texts), "new_logits")


def test_classes_of_the_frozen_model(golden, tower):
    case = golden("promptsrc_logits")
    assert sorted(ensemble_templates()) == sorted(case.facts["templates"])
    found = ensemble_features(tower, case.facts["class_names"], case.facts["templates"])
    case.agrees(found, "zero_shot_text_features")


def test_distances_from_the_frozen_model(golden, tower):
    case = golden("promptsrc_losses")
    made, names = source(case, tower, "param.")
    features, texts, guide = looked_at(tower, made.train(), names, case.tensors["images_u8"] / 255)
    loss, logits = made.loss(features, texts, names, case.tensors["labels"], guide)
    case.agrees(logits, "logits")
    case.agrees(loss[None], "loss")
    case.agrees(F.cross_entropy(logits, case.tensors["labels"])[None], "loss_ce")
    for name, distance in zip(
        ("text_l1", "image_l1", "kl"), made.distances(features, texts, logits, guide), strict=True
    ):
        case.agrees(distance[None], f"loss_{name}")
    loss.backward()
    gradients_agree(made, theirs(case, "grad."))


def test_steps_of_promptsrc(golden, tower):
    case = golden("promptsrc_steps")
    made, names = source(case, tower, "init.")
    steps_agree(case, tower, made, names, case.tensors["labels"])


def steps_agree(case, tower, made, names, labels) -> None:
    """The project's own optimiser and step, epoch by epoch of nothing but steps."""
    hyper = case.facts["hyper"]
    run = Run("run", made, trained_with(hyper), 0, rows=None, names=names)
    trainer = Trainer([run], tower, torch.device("cpu"), tower.image_size, 1)
    run.learner.train()
    for step, (images, own) in enumerate(zip(case.tensors["images_u8"], labels, strict=True)):
        done = trainer.step([run], [images / 255], [own], [[hyper["lr"]]])
        case.agrees(done.losses[0], torch.tensor(case.facts["scalars"]["loss"][step]))
        case.agrees(done.logits[0], case.tensors["logits"][step])
        values = made.state_dict()
        for prefix in (f"step{step}.", f"step{step}_buffer."):
            for name, value in theirs(case, prefix).items():
                case.agrees(values[name], value)


def test_the_mean_over_epochs(golden, tower):
    case = golden("promptsrc_gpa")
    hyper = case.facts["hyper"]
    made, names = source(case, tower, "init.")
    schedule = Schedule(name="cosine_epoch", warmup_epochs=1, warmup_lr=1e-5)
    run = Run("run", made, trained_with(hyper, epochs=hyper["epochs"], schedule=schedule), 0, rows=None, names=names)
    trainer, losses, rates = Trainer([run], tower, torch.device("cpu"), tower.image_size, 1), [], []
    for epoch in range(hyper["epochs"]):
        for images, labels in zip(case.tensors["images_u8"], case.tensors["labels"], strict=True):
            rates += run.lrs(epoch, 0, hyper["steps_per_epoch"])
            losses.append(trainer.step([run], [images / 255], [labels], [rates[-1:]]).losses[0])
        for name, value in theirs(case, f"epoch{epoch}.").items():
            case.agrees(made.state_dict()[name], value)
        run.average(epoch + 1)
    case.agrees(torch.tensor(rates), "lr")
    case.agrees(torch.stack(losses), torch.tensor(case.facts["scalars"]["loss"]))
    for name in (each for each in case.tensors if each.startswith("weights")):
        epochs, *density = map(int, re.findall(r"\d+", name)) if "_" in name else (hyper["epochs"], *made.density)
        made.density = tuple(density)
        weights = [made.epoch_weight(epoch, epochs) for epoch in range(1, epochs + 1)]
        case.agrees(torch.tensor(weights), name)
    for name, value in theirs(case, "final.").items():
        case.agrees(made.state_dict()[name], value)
    features, texts, _ = looked_at(tower, made, names, case.tensors["eval_images_u8"] / 255)
    case.agrees(made.classify(features, texts), "eval_logits")


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("promptsrc_atp*_logits.json")))
def test_joined_to_attributes(golden, tower, name):
    case = golden(name)
    made, names = source(case, tower, "param.")
    (features,) = passes.image_features(tower, [made], [case.tensors["images_u8"] / 255])
    (texts,) = passes.text_features(tower, [made], [names], [features])
    case.agrees(features, "image_features")
    case.agrees(texts, "text_features")
    logits = made.classify(features, texts)
    case.agrees(logits, "logits")
    loss = F.cross_entropy(logits, case.tensors["labels"])
    case.agrees(loss[None], "loss")
    loss.backward()
    gradients_agree(made, theirs(case, "grad."))


@pytest.fixture(scope="module")
def teacher_tower(golden):
    return clip.FrozenClip(clip.of_openai(openai_state(golden("tiny_clip_teacher"))))


class Taught:
    """The teacher of a case, with its class vectors."""

    def __init__(self, case, tower):
        self.case, self.tower = case, tower
        names = plain_names(case.facts["class_names"])
        self.learner = prompted(tower, names, case.facts["hyper"], prefix="teacher_").requires_grad_(False).eval()
        fill(self.learner, theirs(case, "teacher."))
        self.vectors = self.of(names)

    def of(self, names) -> torch.Tensor:
        """Class vectors (C, D)."""
        (texts,) = passes.text_features(self.tower, [self.learner], [names], [None])
        return F.normalize(texts, dim=-1)

    def __call__(self, pixels) -> torch.Tensor:
        tokens = self.learner.image_prompts(len(pixels))
        features = self.tower.encode_prompted(pixels, ImagePrompts(tokens.tokens, tokens.deep))
        return self.learner.similarity(features, self.vectors)


def student(case, tower, teacher: Taught, prefix: str, buffers: str, **options) -> tuple[PromptKD, tuple[str, ...]]:
    hyper, names = case.facts["hyper"], plain_names(case.facts["class_names"])
    given = replace(inputs(tower, names), class_vectors=teacher.vectors, teacher=teacher)
    settings = {"weight": hyper.get("kd_weight", 1.0), "temperature": hyper.get("temperature", 1.0)} | options
    made = PromptKD(given, hyper["n_ctx_vision"], hyper["prompt_depth_vision"], **settings)
    fill(made, theirs(case, prefix) | theirs(case, buffers))
    return made, names


def test_the_teacher(golden, teacher_tower):
    case = golden("promptkd_teacher")
    teacher, images = Taught(case, teacher_tower), case.tensors["images_u8"] / 255
    case.agrees(teacher.vectors, "class_vectors")
    (features,) = passes.image_features(teacher_tower, [teacher.learner], [images])
    case.agrees(features, "image_features")
    case.agrees(teacher(teacher.learner.pixels(images)), "logits")
    cross = teacher.of(plain_names(case.facts["cross_class_names"]))
    case.agrees(cross, "cross_class_vectors")
    case.agrees(teacher.learner.similarity(features, cross), "cross_logits")


def test_the_student(golden, tower, teacher_tower):
    case = golden("promptkd_logits")
    made, names = student(case, tower, Taught(case, teacher_tower), "param.", "buffer.")
    images, base = case.tensors["images_u8"] / 255, case.facts["base_classes"]
    (features,), (guide,) = passes.image_features(tower, [made], [images]), passes.guides(tower, [made], [images])
    case.agrees(guide, "teacher_logits")
    case.agrees(features, "student_features")
    made.eval()
    case.agrees(made.projector(features), "projected")
    for part, classes in (("logits", names), ("base_logits", names[:base]), ("new_logits", names[base:])):
        case.agrees(made.classify(features, None, classes), part)
    made.train()
    case.agrees(made.classify(features, None, names), "train_logits")
    for name, value in theirs(case, "after.").items():
        case.agrees(made.state_dict()[name], value)


def test_what_the_student_learns(golden, tower, teacher_tower):
    case = golden("promptkd_losses")
    lost = {own_name(name) for name in case.facts["not_reproducible"]}
    for temperature in case.facts["hyper"]["temperatures"]:
        made, names = student(case, tower, Taught(case, teacher_tower), "param.", "buffer.", temperature=temperature)
        images, prefix = case.tensors["images_u8"] / 255, f"T{temperature:g}."
        features, texts, guide = looked_at(tower, made.train(), names, images)
        loss, logits = made.loss(features, texts, names, torch.zeros(len(images)), guide)
        case.agrees(logits, "logits")
        case.agrees(loss[None], f"{prefix}loss")
        loss.backward()
        gradients_agree(made, theirs(case, f"{prefix}grad."), lost)


def test_steps_of_promptkd(golden, tower, teacher_tower):
    case = golden("promptkd_steps")
    made, names = student(case, tower, Taught(case, teacher_tower), "init.", "init_buffer.")
    labels = torch.zeros(case.tensors["images_u8"].shape[:2], dtype=torch.long)
    steps_agree(case, tower, made, names, labels)
