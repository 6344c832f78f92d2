"""The grammar of captions: English phrases, each with the attribute values of which it is true.

A phrase's *claim* is a boolean vector over all values of all attributes: True where the phrase allows the value. A
caption is true of a scene when it allows the scene's value of every attribute; ``agreement`` computes this for all
pairs of a batch, so that pretraining knows every true pair and not only those drawn together.
"""

from collections.abc import Iterable

import numpy as np

from papertables.data.miniworld.draw import ATTRIBUTES, DIGITS, SHAPES, Scene

VALUES = [(name, value) for name, values in ATTRIBUTES.items() for value in values]
NOUNS = {
    "circle": ("circle", "disc"), "square": ("square", "box"), "triangle": ("triangle",), "star": ("star",),
    "ring": ("ring", "hoop"), "cross": ("cross", "plus"), "heart": ("heart",), "crescent": ("crescent", "moon"),
    "diamond": ("diamond",), "arrow": ("arrow",),
} | {digit: (f"digit {digit}", f"number {digit}", digit) for digit in DIGITS}  # fmt: skip
TRAITS = {
    "with a round outline": ("circle", "ring"),
    "with a smooth edge and no corners": ("circle", "ring"),
    "with a solid round body": ("circle",),
    "with three corners": ("triangle",),
    "with a wide base and one tip": ("triangle",),
    "with four corners": ("square", "diamond"),
    "with four equal sides": ("square", "diamond"),
    "with level sides": ("square",),
    "standing on one corner": ("diamond",),
    "with five points": ("star",),
    "with a hole in the centre": ("ring",),
    "with two crossing bars": ("cross",),
    "with four equal arms": ("cross",),
    "with two round lobes": ("heart",),
    "with a notch at the top": ("heart",),
    "with two sharp tips": ("crescent",),
    "curved around a gap": ("crescent",),
    "pointing up": ("triangle", "arrow"),
    "with a shaft and a head": ("arrow",),
    "with one closed loop": ("zero", "six", "nine"),
    "with two closed loops": ("eight",),
    "pinched at the waist": ("eight", "three"),
    "with an oval outline": ("zero",),
    "with a single upright stroke": ("one",),
    "made of straight strokes": ("one", "four", "seven"),
    "with a curved top and a flat base": ("two",),
    "with two bumps": ("three",),
    "with two crossing strokes": ("four",),
    "with a flat top and a round belly": ("five",),
    "with a loop below": ("six",),
    "with a flat top and a slanted stroke": ("seven",),
    "with a loop above": ("nine",),
}
SURFACES = {
    "with an even surface": "plain", "with stripes": "striped", "with upright bars": "barred",
    "with dots": "dotted", "with a checkerboard": "checked",
}  # fmt: skip
FRAMES = (
    "{}.", "{}", "this is a photo of {}.", "a photo of {}.", "an image of {}", "a picture showing {}.",
    "it looks like {}.", "you can see {}.", "there is {}.", "unlike the others it is {}.",
    "among the others it stands out as {}.", "its appearance is that of {}.",
)  # fmt: skip
BLANKS = {"shape": SHAPES, "figure": SHAPES, "digit": DIGITS, "number": DIGITS, "thing": SHAPES + DIGITS}
SYLLABLES = ("zor", "mib", "tuk", "vel", "gro", "pax", "nid", "quo", "fyr", "jem", "lub", "wex", "hod", "rik")


def claim(**allowed: str | Iterable[str]) -> np.ndarray:
    """(V,) bool: each named attribute allows one value or several, every other attribute allows all."""
    sets = {name: {value} if isinstance(value, str) else set(value) for name, value in allowed.items()}
    return np.array([name not in sets or value in sets[name] for name, value in VALUES])


def one_hot(scene: Scene) -> np.ndarray:
    """(V,) bool: the scene's value of each attribute."""
    return np.array([scene[name] == value for name, value in VALUES])


def agreement(scenes: np.ndarray, claims: np.ndarray) -> np.ndarray:
    """Which caption is true of which scene: (B, V), (C, V) bool -> (B, C) bool."""
    return scenes.astype(np.float32) @ claims.astype(np.float32).T > len(ATTRIBUTES) - 0.5


def nonsense(rng: np.random.Generator) -> str:
    """A word that the grammar does not know."""
    return "".join(rng.choice(SYLLABLES, rng.integers(1, 4)))


def phrase(scene: Scene, say: set[str], rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """A noun phrase about a scene, without a frame, and its claim. The scene must hold what is mentioned.

    say: what to mention, out of ``noun``, ``trait``, ``colour``, ``texture``, ``surface``, ``size``, ``place``,
    ``background``, ``nonsense`` (an unknown word instead of a blank noun). What is not mentioned is not claimed.
    """
    form, allowed = scene.get("form"), {}
    words = [scene[name] for name in ("size", "colour", "texture") if name in say]
    allowed |= {name: scene[name] for name in ("size", "colour", "texture", "place", "background") if name in say}
    if "noun" in say:
        words.append(str(rng.choice(NOUNS[form])))
        forms = {form}
    elif "nonsense" in say:
        words.append(nonsense(rng))
        forms = set(ATTRIBUTES["form"])
    else:
        words.append(str(rng.choice([blank for blank, forms in BLANKS.items() if form in forms]) if form else "thing"))
        forms = set(BLANKS[words[-1]])
    if "trait" in say:
        words.append(str(rng.choice([trait for trait, forms in TRAITS.items() if form in forms])))
        forms &= set(TRAITS[words[-1]])
    if "surface" in say:
        words.append(next(words for words, texture in SURFACES.items() if texture == scene["texture"]))
        allowed["texture"] = scene["texture"]
    if "place" in say:
        words.append("in the middle" if scene["place"] == "middle" else f"at the {scene['place']}")
    if "background" in say:
        words.append(f"on {scene['background']}" if rng.random() < 0.5 else f"on a {scene['background']} background")
    text = " ".join(words)
    return text, claim(form=forms, **allowed)


def article(text: str, rng: np.random.Generator) -> str:
    """With "a" or "an", "the", or, as class names stand in templates, nothing."""
    return str(rng.choice(["an " if text[0] in "aeiou" else "a ", "the ", ""])) + text


def caption(scene: Scene, rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """A caption of random detail, and its claim (V,)."""
    odds = {"noun": 0.7, "trait": 0.3, "colour": 0.6, "texture": 0.25, "surface": 0.2, "size": 0.15, "place": 0.15,
            "background": 0.2, "nonsense": 0.5}  # fmt: skip
    say = {name for name, odd in odds.items() if rng.random() < odd}
    if not say & {"noun", "trait", "colour", "texture", "surface"}:
        say.add("colour")
    text, claims = phrase(scene, say, rng)
    if rng.random() < 0.1:
        text = f"{nonsense(rng)} {text}"
    return str(rng.choice(FRAMES)).format(article(text, rng)), claims


def words() -> list[str]:
    """Every word that captions use (nonsense aside), sorted."""
    texts = [value for _, value in VALUES] + [noun for nouns in NOUNS.values() for noun in nouns]
    texts += [*TRAITS, *SURFACES, *BLANKS, *FRAMES, "a an the in at on background"]
    return sorted({word for text in texts for word in text.replace("{}", " ").replace(".", " . ").split()})
