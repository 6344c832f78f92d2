"""Training and testing beside the released loops, at true architectures with random weights, on one thread.

The released loops are written anew after what the authors' scripts do, with no handicap: towers length first as
OpenAI's, prompts of all 77 tokens, images decoded and transformed by Pillow whenever they are seen, a pass in
evaluation mode for every new label mapping, text encoded for every batch of a test, a loop over images where each has
prompts of its own, and over combinations in a search. Images are drawn JPEG files as large as photographs of ImageNet.

A row is a family: the processor seconds of a step of training (for label mappings with the pass that comes before every
epoch) and of a batch of its test, the least of some turns, and the peak memory of each side's process. The least a step
could take are the multiplications of ours at the speed of a large product of matrices, measured in the same process.

python benchmarks/released.py [FAMILY …]
"""

import gc
import json
import resource
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models
from torchvision.transforms import v2

from papertables.backbones.catalog import backbone
from papertables.backbones.classifier import FrozenClassifier, source_labels
from papertables.backbones.clip import FrozenClip
from papertables.backbones.frozen_features import image_features
from papertables.backbones.openclip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD, create_model
from papertables.backbones.pixels import Normalise
from papertables.data import cache
from papertables.data.augment import training_images
from papertables.data.splits import Item
from papertables.methods import table
from papertables.methods.inputs import MethodInputs
from papertables.methods.masks import MaskNetwork
from papertables.results.searches import all_combinations
from papertables.specs.spec import Training
from papertables.training.loop import TestSet, Trainer
from papertables.training.run import Run
from papertables.training.search import Search, Searcher

TURNS, SIDE, LENGTH, DEPTH = 2, 224, 77, 9
CPU, DRAWN, BICUBIC = torch.device("cpu"), 16, v2.InterpolationMode.BICUBIC
BASES = ("colour", "shape", "texture", "size", "place")
TO_FLOATS = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
Steps = dict[str, Callable[[], object]]  # what is timed, by name


@dataclass(frozen=True)
class Family:
    """classes: C. images: of a training step. tested: of a batch of the test. fit, side and augmentation: of training
    images in our cache. options: of our learner, beside its defaults. runs: of one seed, which a table wants and one
    job trains, as CoOp and CoOp+ATPrompt are."""

    method: str
    backbone: str
    classes: int
    images: int
    tested: int
    fit: str = "original"
    side: int = SIDE
    augmentation: str = "resized_crop"
    options: dict = field(default_factory=dict)
    runs: int = 1

    @property
    def train_side(self) -> int:
        """Of the cached images; SMM's are larger than its crops."""
        return {"crop_flip": self.side + 32}.get(self.augmentation, self.side)


ATTRVR = {"fit": "short", "side": 192}
PADDED = {"fit": "square", "side": 128, "augmentation": "none"}
MASKED = {"fit": "square", "augmentation": "crop_flip"}
FAMILIES = {
    "attrvr_b16": Family("attrvr", "clip_vit_b16", 10, 8, 8, **ATTRVR),
    "attrvr_b32": Family("attrvr", "clip_vit_b32", 10, 16, 16, **ATTRVR),
    "blm": Family("padding", "resnet18", 10, 16, 16, **PADDED, options={"mapping": "blm"}),
    "ilm": Family("padding", "resnet18", 10, 16, 16, **PADDED, options={"mapping": "ilm"}),
    "smm": Family("smm", "resnet18", 10, 16, 16, **MASKED, options={"mapping": "ilm"}),
    "maple_10": Family("maple", "clip_vit_b16", 10, 4, 8),
    "coop_10": Family("coop", "clip_vit_b16", 10, 8, 8),
    "coop_10_twice": Family("coop", "clip_vit_b16", 10, 8, 8, runs=2),
    "coop_100": Family("coop", "clip_vit_b16", 100, 8, 8),
    "cocoop_10": Family("cocoop", "clip_vit_b16", 10, 1, 2),
    "cocoop_100": Family("cocoop", "clip_vit_b16", 100, 1, 1),
    "search_2": Family("search", "clip_vit_b16", 2, 8, 8),
}


def draw(folder: Path) -> list[Item]:
    """Files that compress as photographs do: coarse patches under fine grain."""
    rng, items = np.random.default_rng(0), []
    for number in range(DRAWN):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((500, 375))
        grain = np.asarray(coarse) + rng.normal(0, 8, (375, 500, 3))
        Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.jpg", quality=90)
        items.append(Item(f"{number}.jpg", number % 2, "drawn"))
    return items


def names(family: Family) -> tuple[str, ...]:
    return tuple(f"red spot {number}" for number in range(family.classes))


def random_clip(family: Family) -> FrozenClip:
    """With the names and sizes of OpenAI's."""
    torch.manual_seed(0)
    return FrozenClip(create_model(f"{backbone(family.backbone).architecture}-quickgelu", pretrained=None))


def random_resnet() -> nn.Module:
    torch.manual_seed(0)
    return models.resnet18(weights=None).eval().requires_grad_(False)


# --- ours -------------------------------------------------------------------------------------------------------------


def ours(family: Family, folder: Path, items: list[Item]) -> Steps:
    entry, is_clip = backbone(family.backbone), family.backbone.startswith("clip")
    tower = random_clip(family) if is_clip else FrozenClassifier(random_resnet(), entry)
    side = 0 if family.fit == "original" else family.train_side
    cache.write(folder, items, range(len(items)), side, family.fit, folder / "train")
    test_fit, test_side = ("square" if family.fit == "square" else "crop"), family.side
    cache.write(folder, items, range(len(items)), test_side, test_fit, folder / "test")
    train, test = cache.read(folder / "train"), cache.read(folder / "test")
    if family.method == "search":
        return our_search(family, tower, train, image_features(tower, test))
    unit = F.normalize(torch.randn(2, family.classes, 20, entry.embed_dim), dim=-1)
    given = MethodInputs(
        image_size=SIDE,
        mean=tower.mean,
        std=tower.std,
        logit_scale=tower.logit_scale if is_clip else None,
        descriptive=unit[0],
        distinctive=unit[1],
        weight=None if is_clip else tower.weight,
        bias=None if is_clip else tower.bias,
        class_count=family.classes,
        text=tower.text if is_clip else None,
        class_names=names(family),
        embedding_width=entry.embed_dim,
    )
    options = table.METHODS[family.method].options | family.options
    training = Training(
        epochs=100, batch_size=family.images, optimizer={"name": "sgd", "lr": 0.01}, schedule={"name": "constant"}
    )
    learners = [table.build(family.method, options, given) for _ in range(family.runs)]
    runs = [Run("benchmark", each, training, 0, np.arange(family.images), names=names(family)) for each in learners]
    trainer = Trainer(runs, tower, CPU, family.side, family.images, family.augmentation)
    rows = np.arange(family.tested)
    known = image_features(tower, test)[: family.tested] if learners[0].leaves_images else None  # made once for all
    tests = TestSet(test.labels[rows], test, rows, names(family), known)
    return {"step": lambda: trainer.epoch(2, train), "test": lambda: trainer.accuracies(runs, tests)}


def our_search(family: Family, tower: FrozenClip, train: cache.ImageCache, seen: Tensor) -> Steps:
    learner = Search(tower.text, tower.logit_scale, names(family), all_combinations(BASES), 4)
    searcher, generator = Searcher(learner, tower, 0.02), torch.Generator().manual_seed(0)
    labels, rows = torch.arange(family.images) % family.classes, np.arange(family.images)
    normalise = Normalise(tower.mean, tower.std)

    def step() -> None:
        images = training_images("resized_crop", train, rows, SIDE, generator, "cpu")
        with torch.no_grad():
            features = tower.encode_image(normalise(images))
        searcher.learn_contexts(features, labels, 0.002)
        searcher.learn_weights(seen[: family.images], labels)

    return {"step": step}


# --- as released ------------------------------------------------------------------------------------------------------


def released(family: Family, folder: Path, items: list[Item]) -> Steps:
    paths = [folder / item.path for item in items]
    make = {"padding": Mapped, "smm": Mapped, "attrvr": Attrvr, "search": ReleasedSearch}.get(family.method, Prompted)
    made = make(family)

    def load(count: int, transform: v2.Transform) -> Tensor:
        return torch.stack([transform(Image.open(path).convert("RGB")) for path in paths[:count]])

    def step() -> None:
        labels = torch.arange(family.images) % family.classes
        for _ in range(family.runs):
            made.before(lambda: load(family.images, made.train))
            made.learn(load(family.images, made.train), labels, lambda: load(family.images, made.test))

    def test() -> None:
        for _ in range(family.runs):
            with torch.no_grad():
                made.logits(load(family.tested, made.test)).argmax(1)

    return {"step": step} if family.method == "search" else {"step": step, "test": test}


class Released:
    """What the released loops share. before: what is done before an epoch, with a function that loads its images."""

    def __init__(self, parameters: list[Tensor], train: list[v2.Transform], test: list[v2.Transform]):
        self.optimizer = torch.optim.SGD(parameters, 0.01, momentum=0.9)
        self.train, self.test = v2.Compose([*train, *TO_FLOATS]), v2.Compose([*test, *TO_FLOATS])

    def before(self, load: Callable[[], Tensor]) -> None:
        pass

    def learn(self, images: Tensor, labels: Tensor, validation: Callable[[], Tensor]) -> None:
        self.optimizer.zero_grad()
        F.cross_entropy(self.logits(images), labels).backward()
        self.optimizer.step()


def crops(side: int, resized: bool) -> tuple[list[v2.Transform], list[v2.Transform]]:
    """Of training and of testing."""
    resize = v2.Resize(side, BICUBIC)
    train = [v2.RandomResizedCrop(side, interpolation=BICUBIC), v2.RandomHorizontalFlip()]
    return ([resize, *train] if resized else train), [resize, v2.CenterCrop(side)]


class Framed(nn.Module):
    """An image padded with zeros, in a trained frame."""

    def __init__(self, side: int):
        super().__init__()
        self.border = (SIDE - side) // 2
        self.program, self.mask = nn.Parameter(torch.zeros(3, SIDE, SIDE)), torch.ones(3, SIDE, SIDE)
        self.mask[:, self.border : -self.border, self.border : -self.border] = 0

    def forward(self, images: Tensor) -> Tensor:
        return F.pad(images, [self.border] * 4) + self.program.sigmoid() * self.mask


class Attrvr(Released):
    def __init__(self, family: Family):
        clip = ReleasedClip(family)
        self.clip, self.framed = clip, Framed(family.side)
        self.sentences = F.normalize(torch.randn(2, family.classes, 20, clip.embed), dim=-1)
        super().__init__([self.framed.program], *crops(family.side, resized=True))

    def logits(self, images: Tensor) -> Tensor:
        features = F.normalize(self.clip.image(self.framed(images)), dim=-1)
        kinds = [torch.einsum("bd,cmd->bcm", 100 * features, own).topk(3).values.mean(-1) for own in self.sentences]
        return 0.5 * kinds[0] + 0.5 * kinds[1]


class Mapped(Released):
    """ResNet-18 in a frame (BLM, ILM), or with a program under a mask (SMM)."""

    def __init__(self, family: Family):
        self.model, self.family, masked = random_resnet(), family, family.method == "smm"
        self.mapping = torch.zeros(len(source_labels(backbone(family.backbone))), family.classes)
        self.normalise = Normalise(*(getattr(backbone(family.backbone), each) for each in ("mean", "std")))
        if masked:
            self.network, self.program = MaskNetwork(5, 8), nn.Parameter(torch.zeros(3, SIDE, SIDE))
            parameters = [self.program, *self.network.parameters()]
            train = [v2.Resize((SIDE + 32, SIDE + 32)), v2.RandomCrop(SIDE), v2.RandomHorizontalFlip()]
        else:
            self.framed = Framed(family.side)
            parameters, train = [self.framed.program], [v2.Resize((family.side, family.side))]
        super().__init__(parameters, train, [v2.Resize((family.side, family.side))])

    def source(self, images: Tensor) -> Tensor:
        if self.family.method != "smm":
            return self.model(self.normalise(self.framed(images)))
        images = self.normalise(images)
        mask = self.network(images).repeat_interleave(8, 2).repeat_interleave(8, 3)
        return self.model(images + self.program * mask)

    def before(self, load: Callable[[], Tensor]) -> None:
        """A pass for the mapping: source labels counted class by class."""
        images = load()
        labels = torch.arange(len(images)) % self.family.classes
        with torch.no_grad():
            hits = F.one_hot(self.source(images).argmax(1), len(self.mapping))
        counts = torch.stack([hits[labels == number].sum(0) for number in range(self.family.classes)], 1).float()
        if self.family.options["mapping"] == "blm":
            weights = counts / (counts.sum(1, keepdim=True) + 1)
            self.mapping = weights / weights.sum(0)
            return
        self.mapping.zero_()
        for _ in range(self.family.classes):
            source, target = divmod(counts.argmax().item(), self.family.classes)
            self.mapping[source, target] = 1
            counts[source], counts[:, target] = -1, -1

    def logits(self, images: Tensor) -> Tensor:
        return self.source(images) @ self.mapping


class ReleasedClip:
    """OpenAI's towers: length first, all 77 tokens of a text."""

    def __init__(self, family: Family):
        torch.manual_seed(0)
        name = f"{backbone(family.backbone).architecture}-quickgelu"
        self.model = create_model(name, pretrained=None).eval().requires_grad_(False)
        for tower in (self.model.transformer, self.model.visual.transformer):
            tower.batch_first = False
            for block in tower.resblocks:
                block.attn.batch_first = False
        self.embed, self.width = self.model.text_projection.shape[1], self.model.transformer.width
        self.normalise = Normalise(OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)

    def image(self, images: Tensor) -> Tensor:
        return self.model.encode_image(self.normalise(images))

    def deep_image(self, images: Tensor, deep: list[Tensor]) -> Tensor:
        """With tokens (n, V) behind the patches, others in each of the first blocks."""
        visual, count = self.model.visual, len(images)
        x = torch.cat([visual._embeds(self.normalise(images)), deep[0].expand(count, -1, -1)], 1).transpose(0, 1)
        for depth, block in enumerate(visual.transformer.resblocks):
            if 0 < depth < len(deep):
                x = torch.cat([x[: -len(deep[0])], deep[depth][:, None].expand(-1, count, -1)])
            x = block(x)
        return visual.ln_post(x[0]) @ visual.proj

    def text(self, prompts: Tensor, ends: Tensor, deep: list[Tensor] | None = None) -> Tensor:
        """Prompts (N, 77, W); deep: what replaces the context behind the start, in each of the first blocks."""
        x = (prompts + self.model.positional_embedding).transpose(0, 1)
        for depth, block in enumerate(self.model.transformer.resblocks):
            if deep and 0 < depth < len(deep):
                own = deep[depth][:, None].expand(-1, len(prompts), -1)
                x = torch.cat([x[:1], own, x[1 + len(own) :]])
            x = block(x, attn_mask=self.model.attn_mask)
        x = self.model.ln_final(x).transpose(0, 1)
        return x[torch.arange(len(x)), ends] @ self.model.text_projection


class Prompted(Released):
    """CoOp, CoCoOp and MaPLe."""

    def __init__(self, family: Family):
        self.clip, self.method = ReleasedClip(family), family.method
        width, embed, count = self.clip.width, self.clip.embed, {"coop": 16, "cocoop": 4, "maple": 2}[family.method]
        self.context = nn.Parameter(0.02 * torch.randn(count, width))
        parameters = [self.context]
        if self.method == "cocoop":
            self.meta = nn.Sequential(nn.Linear(embed, embed // 16), nn.ReLU(), nn.Linear(embed // 16, width))
            parameters += self.meta.parameters()
        if self.method == "maple":
            patches = self.clip.model.visual.conv1.out_channels
            self.deep = nn.ParameterList(0.02 * torch.randn(count, width) for _ in range(DEPTH - 1))
            self.projects = nn.ModuleList(nn.Linear(width, patches) for _ in range(DEPTH))
            parameters += [*self.deep, *self.projects.parameters()]
        self.words = self.clip.model.token_embedding(torch.randint(400, (family.classes, LENGTH)))
        self.ends = torch.full((family.classes,), 1 + count + 5)
        super().__init__(parameters, *crops(SIDE, resized=False))

    def texts(self, context: Tensor, deep: list[Tensor] | None = None) -> Tensor:
        own = context.expand(len(self.words), -1, -1)
        prompts = torch.cat([self.words[:, :1], own, self.words[:, 1 + len(context) :]], 1)
        return F.normalize(self.clip.text(prompts, self.ends, deep), dim=-1)

    def logits(self, images: Tensor) -> Tensor:
        if self.method == "maple":
            contexts = [self.context, *self.deep]
            texts = self.texts(self.context, contexts)
            tokens = [project(each) for project, each in zip(self.projects, contexts, strict=True)]
            return 100 * F.normalize(self.clip.deep_image(images, tokens), dim=-1) @ texts.T
        features = F.normalize(self.clip.image(images), dim=-1)
        if self.method == "coop":
            return 100 * features @ self.texts(self.context).T
        return torch.stack([100 * own @ self.texts(self.context + self.meta(own)).T for own in features])


class ReleasedSearch(Released):
    """A loop over combinations, each with contexts and prompts of its own; contexts and weights learn in turn."""

    def __init__(self, family: Family):
        self.clip, sizes = ReleasedClip(family), [len(each) for each in all_combinations(BASES)]
        lengths = [4 + 5 * size for size in sizes]  # of contexts and the attributes between them
        self.contexts = nn.ParameterList(0.02 * torch.randn(length, self.clip.width) for length in lengths)
        self.weights = nn.Parameter(torch.rand(len(sizes)))
        self.adam = torch.optim.Adam([self.weights], 0.02)
        self.words = self.clip.model.token_embedding(torch.randint(400, (family.classes, LENGTH)))
        super().__init__(list(self.contexts), *crops(SIDE, resized=False))

    def logits(self, images: Tensor) -> Tensor:
        features, mixed = F.normalize(self.clip.image(images), dim=-1), 0
        for weight, context in zip(self.weights.softmax(0), self.contexts, strict=True):
            own = context.expand(len(self.words), -1, -1)
            prompts = torch.cat([self.words[:, :1], own, self.words[:, 1 + len(context) :]], 1)
            ends = torch.full((len(prompts),), 1 + len(context) + 5)
            mixed = mixed + weight * 100 * features @ F.normalize(self.clip.text(prompts, ends), dim=-1).T
        return mixed

    def learn(self, images: Tensor, labels: Tensor, validation: Callable[[], Tensor]) -> None:
        super().learn(images, labels, validation)
        self.contexts.requires_grad_(False)
        self.adam.zero_grad()
        F.cross_entropy(self.logits(validation()), labels).backward()
        self.adam.step()
        self.contexts.requires_grad_(True)


# --- both -------------------------------------------------------------------------------------------------------------


def measure(side: str, name: str) -> None:
    """Prints the seconds of each part, the peak memory in MB and, of ours, the least of a step, as JSON."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        made = {"ours": ours, "released": released}[side](FAMILIES[name], Path(folder), draw(Path(folder)))
        found = {part: least(work) for part, work in made.items()}
        found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        if side == "ours":
            found["floor"] = multiplications(made["step"]) / product_speed()
    print(json.dumps(found))


def least(work: Callable[[], object], turns: int = TURNS) -> float:
    """Processor seconds of some work, garbage collected as ever."""
    return min(timeit.repeat(work, gc.enable, time.process_time, turns, 1))


def multiplications(work: Callable[[], object]) -> int:
    """In floating-point operations."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def product_speed() -> float:
    """Floating-point operations in a second of a large product, of the sizes in a ViT-B/16's block."""
    one, other = torch.randn(1576, 768), torch.randn(768, 3072)
    return 2 * 1576 * 768 * 3072 / least(lambda: one @ other, 20)


def main(chosen: list[str]) -> None:
    columns = ["step: released, s", "ours, s", "ratio", "the least, s", "test: released, s", "ours, s", "ratio"]
    print("|".join(["", "family", *columns, "memory: released, MB", "ours, MB", ""]))
    print("|" + "---|" * (len(columns) + 3))
    for name in chosen or FAMILIES:
        theirs, own = (
            json.loads(subprocess.check_output([sys.executable, __file__, f"--{side}", name]))
            for side in ("released", "ours")
        )
        cells = [name, *compared(theirs["step"], own["step"]), f"{own['floor']:.2f}"]
        cells += compared(theirs["test"], own["test"]) if "test" in own else ["", "", ""]
        print("|".join(["", *cells, *(f"{each['memory']:.0f}" for each in (theirs, own)), ""]), flush=True)


def compared(theirs: float, own: float) -> list[str]:
    return [f"{theirs:.2f}", f"{own:.2f}", f"{theirs / own:.1f}"]


if __name__ == "__main__":
    if sys.argv[1:2] in (["--ours"], ["--released"]):
        measure(sys.argv[1].removeprefix("--"), sys.argv[2])
    else:
        main(sys.argv[1:])
