"""From the spec of a run to its learner before training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from papertables.attributes.sampling import Attributes, sample
from papertables.data.splits import Split, attribute_stream, chosen_labels
from papertables.methods import METHODS, build
from papertables.results.searches import Combination
from papertables.spec import ClassSet, RunSpec

if TYPE_CHECKING:
    from torch import nn

    from papertables.backbones.classifier import FrozenClassifier
    from papertables.backbones.clip import FrozenClip
    from papertables.backbones.frozen_features import Encoded
    from papertables.methods.context import Context


def sampled_sentences(spec: RunSpec, split: Split, text: Attributes) -> dict[str, list[list[str]]]:
    """The run's m sentences of each class, ``descriptive`` and ``distinctive``: (C, m) each, from one stream."""
    stream, names = attribute_stream(spec, split), split.class_names
    m, rule = spec.options["m"], spec.fidelity.attribute_sampling
    descriptive = sample(text.descriptive, names, m, stream, rule)
    return {"descriptive": descriptive, "distinctive": sample(text.distinctive, names, m, stream, rule)}


def make_learner(
    spec: RunSpec,
    encoded: "Encoded",
    sentences: Mapping[str, list[list[str]]],
    tower: "FrozenClip | FrozenClassifier | None" = None,
    winner: Combination = (),
) -> "nn.Module":
    """The run's learner before training; ``sentences`` are empty where its method reads none. tower: for a method that
    adapts it or learns prompts. winner: the attributes of prompts that were searched."""
    context, method, options = _context(encoded, spec.seed or 0, **sentences), METHODS[spec.method], dict(spec.options)
    if method.adapts_tower:
        context = replace(context, tower=tower.model)
    if method.learns_prompts:
        context = replace(
            context,
            text=tower.text,
            class_names=prompt_names(encoded.class_names, spec.trained_classes),
            features=encoded.images.shape[1],
            attribute_tokens=spec.fidelity.attribute_tokens,
            deep_start=spec.fidelity.deep_start,
        )
        options["attributes"] = list(winner) or options["attributes"]
    return build(spec.method, options, context)


def _context(
    encoded: "Encoded",
    seed: int,
    descriptive: Sequence[Sequence[str]] = (),
    distinctive: Sequence[Sequence[str]] = (),
) -> "Context":
    """What a method is given of a backbone and a data set, with the features of its sentences if it uses any."""
    from papertables.methods.context import Context

    return Context(
        image_size=encoded.image_size,
        mean=encoded.mean,
        std=encoded.std,
        logit_scale=encoded.logit_scale,
        classes=encoded.classes,
        descriptive=encoded.features(descriptive) if descriptive else None,
        distinctive=encoded.features(distinctive) if distinctive else None,
        prompts=encoded.prompts,
        weight=encoded.weight,
        bias=encoded.bias,
        class_count=len(encoded.class_names),
        seed=seed,
    )


def prompt_names(class_names: Sequence[str], classes: ClassSet) -> tuple[str, ...]:
    """The names of these classes as they stand in a prompt."""
    return tuple(class_names[label].replace("_", " ") for label in chosen_labels(len(class_names), classes))
