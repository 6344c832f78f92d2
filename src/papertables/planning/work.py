"""What runs and searches compute: passes through towers, in floating-point operations by tower and precision."""

from collections.abc import Hashable, Iterable, Iterator
from itertools import pairwise
from math import comb
from typing import Literal, NamedTuple

from papertables.backbones.catalog import Backbone, backbone
from papertables.data.catalog import dataset
from papertables.data.splits import chosen_labels
from papertables.methods.mapping_names import MAPPINGS, makes_mapping
from papertables.methods.options import MOST_ATTRIBUTES, MaskOptions
from papertables.methods.table import METHODS
from papertables.specs.spec import RunSpec, SearchSpec, ShownPart, Target, tested

Kind = Literal["convolutional", "transformer", "text"]
Precision = Literal["fp32", "half"]
Purpose = Literal["training", "tests", "mapping passes", "other data", "searches", "frozen features"]
FORWARD, THROUGH, TRAINED = 1, 2, 3  # passes: forward; backward to the input as well; and to the weights
LONGEST_NAME = 9  # tokens of the longest class name of a data set with full stop and end, about
BASES = 5  # of a search whose bases a language model names
TEXT = {"mini": (2, 64), "ViT-L-14": (12, 768)}  # layers and width of text towers, by kind or architecture
USUAL_TEXT = (12, 512)  # of all other CLIPs


class Work(NamedTuple):
    """flops: floating-point operations. images, architecture: through and of the image tower, where it is that. once:
    of a pass that the runs of a job and seed which say the same make together."""

    purpose: Purpose
    kind: Kind
    precision: Precision
    flops: float
    images: float = 0
    architecture: str = ""
    once: Hashable = None


class SearchPrompts(NamedTuple):
    """tokens: as they go through the tower, where what all classes begin with counts once. longest: tokens of a
    prompt."""

    tokens: int
    prompts: int
    longest: int


def run_work(run: RunSpec, targets: Iterable[Target] = (), every: int = 1, fast: bool = False) -> Iterator[Work]:
    """All that a run computes, beside what is negligible. targets: on which it is scored beside its own test. every:
    epochs between its tests (``tested``). fast: whether passes without a gradient run in half precision. Runs without
    training read stored features."""
    if run.training is None:
        return
    tower, method, epochs = backbone(run.backbone), METHODS[run.method], run.training.epochs
    training: Precision = "fp32" if run.training.precision == "fp32" else "half"
    looking: Precision = "half" if fast else "fp32"
    trained, tests = trained_images(run) * epochs, len(tested(every, epochs))
    scored = [("tests", run.target, tests), *(("other data", target, 1) for target in targets)]
    batches = (run.images, epochs, run.training.batch_size_for(run.shots))
    if method.changes_images:
        yield from _images("training", run, training, trained, THROUGH)
    else:
        yield _image("training", tower, training, trained, FORWARD, ("features", *batches))
    if method.stays_near:
        yield _image("training", tower, training, trained, FORWARD, ("guide", *batches))
    if run.teacher:
        yield _image("training", backbone(run.teacher.backbone), training, trained, FORWARD)
    if passes := mapping_passes(run):
        yield from _images("mapping passes", run, looking, trained_images(run) * passes, FORWARD)
    for purpose, target, times in scored:
        if not method.leaves_images:
            yield from _images(purpose, run, looking, test_images(target) * times, FORWARD)
    if method.learns_prompts:
        per_image = "cocoop" in (run.method, run.options.get("prompt"))
        calls = trained if per_image else trained / run.training.batch_size_for(run.shots)
        yield _text("training", tower, training, prompt_tokens(run, run.target) * calls * THROUGH)
        for purpose, target, times in scored:
            calls = times * (test_images(target) if per_image else 1)
            yield _text(purpose, tower, looking, prompt_tokens(run, target) * calls)


def together(works: Iterable[tuple[RunSpec, Iterable[Work]]]) -> Iterator[Work]:
    """What runs of one job compute, from what each would by itself."""
    made = set()
    for run, own in works:
        for work in own:
            if work.once is None:
                yield work
            elif (run.seed, work) not in made:
                made.add((run.seed, work))
                yield work


def search_work(search: SearchSpec) -> Iterator[Work]:
    """Of an attribute search: every step sends the prompts of all combinations through the text tower twice, once with
    a gradient, for which what is between is computed again."""
    tower, classes = backbone(search.backbone), len(chosen_labels(dataset(search.dataset).classes, "base"))
    shots = (search.shots + 1) // 2 if search.validation_images == "half_of_shots" else search.shots
    steps = search.epochs * max(1, shots * classes // search.batch_size)
    yield _image("searches", tower, "fp32", steps * search.batch_size, FORWARD)
    yield _text("searches", tower, "fp32", steps * search_prompts(search).tokens * (FORWARD + THROUGH + FORWARD))


def search_prompts(search: SearchSpec) -> SearchPrompts:
    """Of all combinations and base classes."""
    bases, classes = len(search.bases) or BASES, len(chosen_labels(dataset(search.dataset).classes, "base"))
    sizes = range(3 if search.sizes == "three_or_more" else 1, bases + 1)
    return SearchPrompts(
        tokens=sum(comb(bases, size) * _tokens(classes, _learned(search.context, size)) for size in sizes),
        prompts=sum(comb(bases, size) * classes for size in sizes),
        longest=_tokens(1, _learned(search.context, bases)),
    )


def frozen_work(name: str, tower: Backbone) -> Work:
    """Of the features of a data set's test images."""
    return _image("frozen features", tower, "fp32", dataset(name).test, FORWARD)


def inspect_work(run: RunSpec, part: ShownPart) -> Iterator[Work]:
    """Of what a figure shows of a run: its images as they are, and reprogrammed."""
    images = test_images(run.target) if part == "test" else trained_images(run)
    yield from _images("tests", run, "fp32", 2 * images, FORWARD)


def trained_images(run: RunSpec) -> int:
    """In an epoch."""
    data = dataset(run.dataset)
    classes = len(chosen_labels(data.classes, run.trained_classes))
    train = data.train if run.shots is None else min(run.shots * classes, data.train)
    return round(train * (run.fraction or 1))


def test_images(target: Target) -> int:
    data = dataset(target.dataset)
    return round(data.test * len(chosen_labels(data.classes, target.classes)) / data.classes)


def mapping_passes(run: RunSpec) -> int:
    """How often the training set is gone through to make a mapping: what ``MappingHead.due`` says of all epochs."""
    mapping = run.options.get("mapping")
    if not makes_mapping(mapping):
        return 0
    return run.training.epochs if MAPPINGS[mapping][1] == "epoch" else 1


def prompt_tokens(run: RunSpec, target: Target) -> int:
    """Of the prompts of all classes, each as long as the longest; what all of them begin with counts once."""
    options, attributes = run.options, run.options["attributes"]
    learned = _learned(options["context"], len(attributes) if isinstance(attributes, list) else MOST_ATTRIBUTES)
    class_last = options.get("class_position", "end") == "end" and options.get("anchors") != "separate"
    shared = learned if class_last and not options.get("class_specific") else 0
    return _tokens(len(chosen_labels(dataset(target.dataset).classes, target.classes)), shared, learned - shared)


def _learned(context: int, attributes: int) -> int:
    """Tokens of all contexts and the attributes between them."""
    return context * (1 + attributes) + attributes


def _tokens(classes: int, shared: int, own: int = 0) -> int:
    """What goes through a text tower: once the start token and those that all classes ``shared``, and of each class its
    name and other tokens of its ``own``."""
    return 1 + shared + classes * (LONGEST_NAME + own)


def text_tower(tower: Backbone) -> tuple[int, int]:
    """Its layers and its width."""
    return TEXT.get(tower.architecture) or TEXT.get(tower.kind) or USUAL_TEXT


def image_kind(tower: Backbone) -> Kind:
    return "transformer" if tower.is_vit else "convolutional"


def mask_gmacs(side: int, layers: int, patch: int, channels: int, width: int) -> float:
    """10⁹ multiply-accumulates of SMM's mask network for an image of this side."""
    maps, macs = [3, *(width << layer for layer in range(layers - 1))], 0
    for layer, (before, after) in enumerate(pairwise(maps)):
        macs += 9 * before * after * side**2
        side //= 2 if layer < patch.bit_length() - 1 else 1
    return (macs + 9 * maps[-1] * 3 * side**2 * (channels == 3)) / 1e9


def _images(purpose: Purpose, run: RunSpec, precision: Precision, images: float, passes: int) -> Iterator[Work]:
    """Through the image tower and, before it, a mask network, whose weights are trained."""
    tower = backbone(run.backbone)
    yield _image(purpose, tower, precision, images, passes)
    if issubclass(METHODS[run.method].options_model, MaskOptions):
        options = {name: run.options[name] for name in ("layers", "patch", "channels", "width")}
        both = TRAINED if passes == THROUGH else FORWARD
        yield Work(purpose, "convolutional", precision, 2e9 * mask_gmacs(tower.image_size, **options) * images * both)


def _image(
    purpose: Purpose, tower: Backbone, precision: Precision, images: float, passes: int, once: Hashable = None
) -> Work:
    flops = 2e9 * tower.gmacs * images * passes
    return Work(purpose, image_kind(tower), precision, flops, images, tower.architecture, once)


def _text(purpose: Purpose, tower: Backbone, precision: Precision, tokens: float) -> Work:
    """Through the text tower; the products of attention are small beside those with weights at such lengths."""
    layers, width = text_tower(tower)
    return Work(purpose, "text", precision, 2 * 12 * layers * width**2 * tokens)
