"""From the spec of a run to its learner before training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from papertables.attributes.sampling import Attributes, sample
from papertables.data.splits import Split, attribute_stream, chosen_labels
from papertables.methods.table import METHODS, build
from papertables.specs.spec import ClassSet, Combination, RunSpec

if TYPE_CHECKING:
    from torch import Tensor

    from papertables.backbones.classifier import FrozenClassifier
    from papertables.backbones.clip import FrozenClip
    from papertables.backbones.frozen_features import FrozenFeatures, SentenceFeatures
    from papertables.methods.learner import BaseLearner
    from papertables.training.teacher import Teacher

KINDS = ("descriptive", "distinctive")  # of sentences


def sampled_sentences(spec: RunSpec, split: Split, text: Attributes) -> dict[str, list[list[str]]]:
    """The run's m sentences of each class by kind, (C, m) each, from one stream."""
    stream, names = attribute_stream(spec, split), split.class_names
    m, rule = spec.options["m"], spec.fidelity.attribute_sampling
    return {kind: sample(getattr(text, kind), names, m, stream, rule) for kind in KINDS}  # in this order


def sampled_features(
    spec: RunSpec, split: Split, text: Attributes, features: "SentenceFeatures"
) -> "dict[str, Tensor]":
    """The features of these sentences by kind, (C, m, D) each."""
    return {kind: features.chosen(rows) for kind, rows in sampled_sentences(spec, split, text).items()}


def make_learner(
    spec: RunSpec,
    frozen: "FrozenFeatures",
    sentences: "Mapping[str, Tensor]",
    tower: "FrozenClip | FrozenClassifier | None" = None,
    winner: Combination = (),
    teacher: "Teacher | None" = None,
) -> "BaseLearner":
    """The run's learner before training. sentences: what ``sampled_features`` gives, empty where its method reads none.
    tower: for a method that adapts it or learns prompts. winner: the attributes of prompts that were searched. teacher:
    of a student."""
    from papertables.methods.inputs import MethodInputs

    method, options = METHODS[spec.method], dict(spec.options)
    given = MethodInputs(
        image_size=frozen.image_size,
        mean=frozen.mean,
        std=frozen.std,
        logit_scale=frozen.logit_scale,
        classes=frozen.classes,
        prompts=frozen.prompts,
        weight=frozen.weight,
        bias=frozen.bias,
        class_count=len(frozen.class_names),
        seed=spec.seed or 0,
        **sentences,
    )
    if method.adapts_tower:
        given = replace(given, tower=tower.whole)
    if method.stays_near:
        given = replace(given, ensemble=frozen.ensemble[_rows(frozen.class_names, spec.trained_classes)])
    if method.distils:
        given = replace(given, class_vectors=teacher.vectors, teacher=teacher)
    if method.learns_prompts or method.prompts_images:
        given = replace(
            given,
            text=tower.text,
            class_names=prompt_names(frozen.class_names, spec.trained_classes),
            embedding_width=frozen.images.shape[1],
            attribute_tokens=spec.fidelity.attribute_tokens,
            deep_start=spec.fidelity.deep_start,
        )
    if method.learns_prompts:
        options["attributes"] = list(winner) or options["attributes"]
    return build(spec.method, options, given)


def prompt_names(class_names: Sequence[str], classes: ClassSet) -> tuple[str, ...]:
    """The names of these classes as they stand in a prompt."""
    return tuple(name.replace("_", " ") for name in class_names[_rows(class_names, classes)])


def _rows(class_names: Sequence[str], classes: ClassSet) -> slice:
    """Where these classes stand among all."""
    labels = chosen_labels(len(class_names), classes)
    return slice(labels.start, labels.stop)
