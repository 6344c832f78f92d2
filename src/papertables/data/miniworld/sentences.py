"""Sentences about the classes of the target sets, composed by the grammar from what the classes look like.

They take the place that an LLM's answers have for real data: ``des`` describes a class, ``dist`` says what sets it
apart from the other classes of its set.
"""

import json
from pathlib import Path

import numpy as np

from papertables.data.miniworld.draw import ATTRIBUTES, Scene
from papertables.data.miniworld.grammar import VALUES, article, phrase
from papertables.data.miniworld.targets import TARGETS

FRAMES = {
    "des": ("This is a photo of {}.", "It looks like {}.", "You can see {}.", "A picture showing {}.", "There is {}.",
            "Its appearance is that of {}."),
    "dist": ("Unlike the others it is {}.", "Among the others it stands out as {}.", "There is {}.", "You can see {}."),
}  # fmt: skip
QUALITIES = ("mini", "mini_single", "mini_half", "mini_vague", "mini_wrong")  # the sources, best first
MENTIONS = {"form": ("noun", "trait"), "colour": ("colour",), "texture": ("texture", "surface")}


def sentences(name: str, kind: str, count: int = 25, seed: int = 0) -> dict[str, list[str]]:
    """``count`` different sentences for each class of a target set, kind ``des`` or ``dist``.

    None is true of another class of the set; a descriptive one mentions every attribute of its class.
    """
    rng = np.random.default_rng([seed, list(TARGETS).index(name), list(FRAMES).index(kind)])
    classes = TARGETS[name].classes
    answers = {}
    for cls, scene in classes.items():
        others = [other for key, other in classes.items() if key != cls]
        mentions = [mention for attribute in scene for mention in MENTIONS[attribute]]
        found: dict[str, None] = {}  # an ordered set
        while len(found) < count:
            say = {mention for mention in mentions if rng.random() < 0.6}
            text, claims = phrase(scene, say, rng)
            whole = kind == "dist" or all(say & set(MENTIONS[attribute]) for attribute in scene)
            if say and whole and not any(_true_of(claims, other) for other in others):
                sentence = str(rng.choice(FRAMES[kind])).format(article(text, rng))
                if len(sentence) > 20:
                    found[sentence] = None
        answers[cls] = list(found)
    return answers


def degraded(name: str, kind: str, quality: str, count: int = 25, seed: int = 0) -> dict[str, list[str]]:
    """Sentences as a worse source would give them.

    ``mini``: as they are. ``mini_single``: true, but of one attribute, so of other classes too. ``mini_half``:
    every second one is another class's. ``mini_vague``: of things that no class fixes. ``mini_wrong``: all are the next
    class's.
    """
    good = sentences(name, kind, count, seed)
    names = list(good)
    after = {cls: good[names[(i + 1) % len(names)]] for i, cls in enumerate(names)}
    if quality == "mini_half":
        return {cls: [(after if i % 2 else good)[cls][i] for i in range(count)] for cls in names}
    if quality == "mini_wrong":
        return after
    if quality in ("mini_single", "mini_vague"):
        rng = np.random.default_rng([seed, list(TARGETS).index(name), list(FRAMES).index(kind), 1])
        classes = TARGETS[name].classes
        return {cls: [_plain(classes[cls], kind, quality, rng) for _ in range(count)] for cls in names}
    return good


def _plain(scene: Scene, kind: str, quality: str, rng: np.random.Generator) -> str:
    """A sentence of one attribute: of those that the class fixes, or (vague) of any other."""
    if quality == "mini_vague":
        other = [name for name in ATTRIBUTES if name not in scene and name not in MENTIONS]
        scene = {name: str(rng.choice(ATTRIBUTES[name])) for name in other}
    attribute = str(rng.choice(list(scene)))
    say = {MENTIONS.get(attribute, (attribute,))[0]}
    text, _ = phrase(scene, say, rng)
    return str(rng.choice(FRAMES[kind])).format(article(text, rng))


def write_sentences(folder: Path, quality: str = "mini", seed: int = 0) -> None:
    """Writes ``<set>_des.json`` and ``<set>_dist.json`` of every target set, and ``provenance.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TARGETS:
        for kind in FRAMES:
            answers = degraded(name, kind, quality, seed=seed)
            (folder / f"{name}_{kind}.json").write_text(json.dumps(answers, indent=1) + "\n", "utf-8")
    provenance = {
        "origin": "composed by the grammar of the mini world from the classes' attributes; no language model was asked",
        "function": "papertables.data.miniworld.sentences.write_sentences",
        "quality": quality,
        "seed": seed,
        "sentences_per_class": 25,
    }
    (folder / "provenance.json").write_text(json.dumps(provenance, indent=1) + "\n", "utf-8")


def _true_of(claims: np.ndarray, scene: Scene) -> bool:
    """Whether the claim (V,) allows every value that a class fixes."""
    return all(claims[VALUES.index(item)] for item in scene.items())
