"""The mini world: the same seed draws the same pixels, captions are true, target sets are what they claim to be."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from papertables.data.miniworld import TARGETS, draw_target, grammar, sentences, write_sentences
from papertables.data.miniworld.draw import ATTRIBUTES, DIGITS, PALETTE, SHAPES, SIDE, draw, sample_scene
from papertables.data.miniworld.sentences import QUALITIES, degraded
from papertables.data.miniworld.targets import SETS, SOURCES

pytestmark = pytest.mark.slow

COMMITTED = Path(__file__).parents[3] / "attributes"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Every set, drawn once."""
    root = tmp_path_factory.mktemp("targets")
    for name in SETS:
        draw_target(name, root / name, seed=0)
    return root


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()


def test_a_seed_draws_the_same_image_again():
    scene = sample_scene(np.random.default_rng(3))
    first, again, other = (draw(scene, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first.shape == (SIDE, SIDE, 3) and first.dtype == np.uint8
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("form", SHAPES + DIGITS)
def test_a_scene_shows_its_colour_on_its_background(form):
    rng = np.random.default_rng(0)
    scene = {"form": form, "colour": "green", "texture": "plain", "size": "large", "place": "middle"}
    image = draw(scene | {"background": "black"}, rng).astype(float)
    nearest = np.array([np.abs(image - colour).sum(axis=2) for colour in PALETTE.values()]).argmin(axis=0)
    share = {name: (nearest == index).mean() for index, name in enumerate(PALETTE)}
    assert share["black"] > 0.3 and 0.03 < share["green"] < 0.7
    assert share["black"] + share["green"] > 0.85


def test_place_and_size_move_and_scale_the_figure():
    def mask(**change: str) -> np.ndarray:
        scene = {"form": "circle", "colour": "yellow", "texture": "plain", "size": "small", "place": "middle"}
        return draw(scene | {"background": "black"} | change, np.random.default_rng(0)).sum(axis=2) > 300

    rows = {place: np.argwhere(mask(place=place))[:, 0].mean() for place in ATTRIBUTES["place"]}
    assert rows["top"] < rows["middle"] < rows["bottom"]
    assert mask(size="large").sum() > 1.5 * mask().sum()


def test_captions_are_true_of_their_scenes_and_say_what_they_claim():
    rng = np.random.default_rng(0)
    scenes = [sample_scene(rng) for _ in range(300)]
    captions, claims = zip(*(grammar.caption(scene, rng) for scene in scenes), strict=True)
    true = grammar.agreement(np.stack([grammar.one_hot(scene) for scene in scenes]), np.stack(claims))
    assert true.diagonal().all()
    for caption, row in zip(captions, true.T, strict=True):
        words = caption.rstrip(".").split()
        for colour in set(words) & set(ATTRIBUTES["colour"]):
            assert {scene["colour"] for scene, holds in zip(scenes, row, strict=True) if holds} == {colour}
        for shape in set(words) & set(SHAPES):
            assert {scene["form"] for scene, holds in zip(scenes, row, strict=True) if holds} == {shape}


def test_agreement_is_the_conjunction_over_attributes():
    scene = {name: values[0] for name, values in ATTRIBUTES.items()}
    claims = [
        grammar.claim(),
        grammar.claim(colour=scene["colour"]),
        grammar.claim(colour=scene["colour"], form=ATTRIBUTES["form"][1]),
        grammar.claim(form=ATTRIBUTES["form"][:2]),
    ]
    assert grammar.agreement(grammar.one_hot(scene)[None], np.stack(claims)).tolist() == [[True, True, False, True]]


def test_the_vocabulary_holds_every_word_but_nonsense():
    rng = np.random.default_rng(1)
    known = set(grammar.words())
    for _ in range(300):
        text, _ = grammar.caption(sample_scene(rng), rng)
        unknown = set(text.replace(".", " . ").split()) - known
        assert all(set(word) <= set("".join(grammar.SYLLABLES)) for word in unknown)


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_its_counts_and_no_image_twice(name, folders):
    split = json.loads((folders / name / "split.json").read_text())
    classes = list(SETS[name].classes)
    assert 10 <= len(classes) <= 24
    for part, count in SETS[name].counts.items():
        assert [label for _, label, _ in split[part]] == [label for label in range(len(classes)) for _ in range(count)]
        assert all(classes[label] == cls and path.startswith(f"images/{cls}/") for path, label, cls in split[part])
    paths = [path for part in split.values() for path, _, _ in part]
    images = [np.asarray(Image.open(folders / name / path)) for path in paths]
    assert len(set(paths)) == len({image.tobytes() for image in images}) == len(paths)
    assert {(image.shape, image.dtype) for image in images} == {((SIDE, SIDE, 3), np.dtype(np.uint8))}


def test_drawing_a_target_set_again_gives_the_same_files(folders, tmp_path):
    name = "mini_signs"
    draw_target(name, tmp_path / "again", seed=0)
    draw_target(name, tmp_path / "other", seed=1)
    assert digest(tmp_path / "again") == digest(folders / name) != digest(tmp_path / "other")


def test_the_digits_are_those_of_scikit_learn(folders):
    from sklearn.datasets import load_digits

    digits = load_digits()
    for label, cls in enumerate(DIGITS):
        image = Image.open(folders / "mini_digits" / "images" / cls / "000.png").convert("L").crop((12, 12, 52, 52))
        small = np.asarray(image.resize((8, 8), Image.Resampling.BOX), float).ravel()
        likeness = [abs(np.corrcoef(small, ink.ravel())[0, 1]) for ink in digits.images]
        assert digits.target[np.argmax(likeness)] == label and max(likeness) > 0.9


def test_a_new_set_leaves_the_others_as_they_are():
    """A set's place is part of its seed, so the order of those that are there is fixed."""
    assert list(SETS) == [
        "mini_digits",
        "mini_signs",
        "mini_cloths",
        "mini_moths",
        "mini_families",
        "mini_kinds",
        "mini_source",
        "mini_source_redrawn",
        "mini_source_sketch",
        "mini_source_cluttered",
        "mini_source_restyled",
    ]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("mini_digits", (136.3, 125.2, 112.1)),
        ("mini_signs", (75.7, 79.3, 121.7)),
        ("mini_cloths", (126.6, 71.4, 32.0)),
        ("mini_moths", (118.8, 109.1, 73.5)),
        ("mini_families", (87.5, 68.5, 69.7)),
        ("mini_kinds", (131.2, 138.8, 142.0)),
        ("mini_source", (66.3, 72.6, 49.5)),
    ],
)
def test_a_set_is_drawn_as_ever(name, known, folders):
    """The mean colour of a set's first images, to a tenth of a grey level: a changed draw of chance moves it."""
    first = [folders / name / "images" / cls / "000.png" for cls in SETS[name].classes]
    means = [np.asarray(Image.open(path), float).mean(axis=(0, 1)) for path in first]
    assert np.mean(means, axis=0) == pytest.approx(known, abs=0.1)


def test_the_source_set_has_every_pair_of_its_colours_and_forms():
    pairs = [(scene["colour"], scene["form"]) for scene in SETS["mini_source"].classes.values()]
    assert len(set(pairs)) == len(pairs) == 24
    for half in (pairs[:12], pairs[12:]):
        colours, forms = (set(values) for values in zip(*half, strict=True))
        assert (len(colours), len(forms)) == (8, 3)


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "mini_source"])
def test_a_shifted_set_shows_classes_of_the_source_in_other_images(name, folders):
    def images(of: str) -> set[bytes]:
        return {Image.open(path).tobytes() for path in (folders / of).rglob("*.png")}

    source = SETS["mini_source"].classes
    assert SETS[name].classes.items() <= source.items()
    assert list(SETS[name].classes) == [cls for cls in source if cls in SETS[name].classes]
    assert len({scene["form"] for scene in SETS[name].classes.values()}) == 3
    assert not images(name) & images("mini_source")


def test_a_sketch_is_mostly_white_paper_and_keeps_a_hint_of_its_colour(folders):
    for cls, strongest in {"red_square": 0, "green_ring": 1, "blue_heart": 2}.items():
        image = np.asarray(Image.open(folders / "mini_source_sketch/images" / cls / "002.png"), float)
        ink = image.min(axis=2) < 170
        assert 0.02 < ink.mean() < 0.4
        assert image[~ink].mean() > 215
        assert image[ink].mean(axis=0).argmax() == strongest


@pytest.fixture(scope="module")
def zero_shot(folders):
    """Zero-shot accuracy of mini-vit on the source sets, in %."""
    import torch

    from papertables.backbones import mini

    model = mini.load("mini-vit")

    @torch.no_grad()
    def accuracy(name: str) -> float:
        test = json.loads((folders / name / "split.json").read_text())["test"]
        pixels = [Image.open(folders / name / path).resize((mini.SIDE, mini.SIDE), Image.BICUBIC) for path, *_ in test]
        names = [cls.replace("_", " ") for cls in SETS[name].classes]
        text = mini.encode_text(model, mini.tokenizer()([f"a photo of a {name}." for name in names]))
        guesses = (model.encode_image(mini.to_input(np.stack(pixels))) @ text.T).argmax(dim=1)
        return 100 * (guesses == torch.tensor([label for _, label, _ in test])).float().mean().item()

    return {name: accuracy(name) for name in SOURCES}


def test_a_source_set_is_neither_hopeless_nor_solved(zero_shot):
    for name, accuracy in zero_shot.items():
        assert 300 / len(SETS[name].classes) < accuracy < 90, name


def test_the_source_sets_rank_as_documented(zero_shot):
    order = (
        "mini_source_restyled",
        "mini_source",
        "mini_source_redrawn",
        "mini_source_cluttered",
        "mini_source_sketch",
    )
    assert tuple(sorted(zero_shot, key=zero_shot.get, reverse=True)) == order


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_committed_sentences_are_those_that_the_grammar_composes(tmp_path, quality):
    write_sentences(tmp_path, quality)
    folders = (tmp_path, COMMITTED / quality)
    made, committed = ({path.name: path.read_text() for path in at.glob("*.json")} for at in folders)
    assert made == committed


def test_degraded_sentences_are_worse_as_they_say():
    good, half, wrong, vague = (
        degraded("mini_moths", "des", f"mini{end}") for end in ("", "_half", "_wrong", "_vague")
    )
    for cls, sentences_of in good.items():
        shared = [a == b for a, b in zip(sentences_of, half[cls], strict=True)]
        assert shared[::2] == [True] * 13
        assert not any(shared[1::2])
        assert not set(wrong[cls]) & set(sentences_of)
    everything = " ".join(sentence for found in vague.values() for sentence in found)
    assert not any(f" {colour} " in everything for colour in ("red", "orange", "green", "purple", "pink"))


@pytest.mark.parametrize("kind", ["des", "dist"])
@pytest.mark.parametrize("name", TARGETS)
def test_sentences_are_many_different_and_long_enough(name, kind):
    answers = sentences(name, kind)
    assert list(answers) == list(TARGETS[name].classes)
    for found in answers.values():
        assert len(set(found)) == 25
        assert all(len(sentence) > 20 and sentence.endswith(".") for sentence in found)


@pytest.mark.parametrize("name", TARGETS)
def test_distinctive_sentences_belong_to_one_class(name):
    answers = sentences(name, "dist")
    everything = [sentence for found in answers.values() for sentence in found]
    assert len(set(everything)) == len(everything)
