import io
import json
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import normalize

from papertables.base.errors import UserError
from papertables.data import cache
from papertables.data.splits import Item, cut, few_shot, half, read_split, split_trainval
from papertables.specs.spec import Training
from papertables.training.optimization import learning_rate


@pytest.fixture
def split(golden, tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps(golden("fewshot_sampling").facts["split_json"]))
    return read_split(path)


def test_few_shot_draws(golden, split):
    facts = golden("fewshot_sampling").facts
    assert list(split.class_names) == facts["class_names_by_label"]
    for run in facts["runs"]:
        stream = Random(run["seed"])
        train, val = few_shot(split, run["shots"], stream)
        parts = {
            "train": [split.train[index] for index in train],
            "val": [split.val[index] for index in val],
            "test": list(split.test),
        }
        if run["subsample"] != "all":
            source = parts["train"]
            parts = {part: half(source, items, run["subsample"]) for part, items in parts.items()}
        for part, items in parts.items():
            if isinstance(run.get(part), list):
                assert [[item.path, item.label] for item in items] == run[part]
            elif part in run:
                assert len(items) == run[part]["count"]
        names = {item.label: item.name for item in parts["train"]}
        assert [names[label] for label in sorted(names)] == run["classnames"]
        assert stream.random() == run["random_random_after"]
        assert Random(run["seed"]).random() == run["random_random_after_with_cached_pickle"]


def test_split_trainval(golden):
    facts = golden("fewshot_sampling").facts["split_trainval"]
    items = [Item(*entry) for entry in facts["input"]]
    for run in facts["runs"]:
        train, val = split_trainval(items, Random(run["seed"]), facts["p_val"])
        assert [item.path for item in train] == run["train"]
        assert [item.path for item in val] == run["val"]
    two = items[:1] * 2
    if "AssertionError" in facts["two_item_class"]:
        with pytest.raises(UserError, match="too few"):
            split_trainval(two, Random(0), facts["p_val"])
    else:
        assert all(split_trainval(two, Random(0), facts["p_val"]))


def test_cut_of_folders(golden):
    facts = golden("fewshot_sampling").facts["dtd_read_and_split_data"]
    listing = {name: files for name, files in facts["listing_order"].items() if name}
    for run in facts["runs"]:
        given = facts | facts.get("kwargs", {}) | run | run.get("kwargs", {})
        options = {"ignored": given.get("ignored") or (), "new_names": given.get("new_cnames")}
        parts = cut(listing, Random(run["seed"]), given["p_trn"], given["p_val"], **options)
        for part, items in parts.items():
            assert [list(item) for item in items] == run[part]


@pytest.mark.slow
def test_preprocessing(golden, normalise, tmp_path):
    case = golden("preprocessing")
    sizes = case.facts["sizes"]
    for facts in case.facts["images"]:
        name = f"img{facts['image']}"
        path = tmp_path / f"{name}.png"
        path.write_bytes(case.tensors[f"{name}.png"].numpy().tobytes())
        small = torch.from_numpy(cache.load(path, sizes["attrvr"], "crop").copy())
        case.agrees(small / 255, f"{name}.attrvr")
        large = torch.from_numpy(cache.load(path, sizes["clip"], "crop").copy())
        for variant in ("attrvr_vp", "dassl", "clip_from_rgb"):
            case.agrees(normalise(large), f"{name}.{variant}")
        square = torch.from_numpy(cache.load(path, sizes["blm"], "square").copy())
        case.agrees(square / 255, f"{name}.blm_padding")
        square = torch.from_numpy(cache.load(path, sizes["clip"], "square").copy())
        case.agrees(imagenet(square), f"{name}.blm_watermark_from_rgb")
        if facts["mode"] == "RGB":
            case.agrees(imagenet(square), f"{name}.blm_watermark")


def imagenet(pixels: torch.Tensor) -> torch.Tensor:
    """Bytes (3, H, W), normalised for classifiers pretrained on ImageNet."""
    return normalize(pixels / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_cached_pixels_are_those_of_the_image(golden, tmp_path):
    case = golden("preprocessing")
    names = [f"img{facts['image']}" for facts in case.facts["images"]]
    for name in names:
        Image.open(io.BytesIO(case.tensors[f"{name}.png"].numpy().tobytes())).save(tmp_path / f"{name}.png")
    items = [Item(f"{name}.png", label, name) for label, name in enumerate(names)]
    cache.write(tmp_path, items, range(len(items)), case.facts["sizes"]["attrvr"], "crop", tmp_path / "c")
    batch = cache.read(tmp_path / "c").batch(range(len(items)))
    expected = torch.stack([case.tensors[f"{name}.attrvr"] for name in names])
    assert np.array_equal(batch, (expected * 255).round().byte().numpy())


def test_multistep(golden):
    facts = golden("multistep_lr").facts
    lrs, epochs = facts["lr_used_in_epoch"], facts["epochs"]
    changes = [epoch for epoch in range(1, epochs) if lrs[epoch] != lrs[epoch - 1]]
    schedule = {
        "name": "multistep",
        "milestones": [(epoch + 0.5) / epochs for epoch in changes],  # floored to the epoch
        "gamma": lrs[changes[0]] / lrs[0],
    }
    assert rates(epochs, lrs[0], schedule) == pytest.approx(lrs, rel=1e-9)


def test_cosine_with_warmup(golden):
    facts = golden("dassl_lr").facts
    hyper = facts["hyper"]
    warmup = {"warmup_epochs": hyper["warmup_epoch"], "warmup_lr": hyper["warmup_cons_lr"]}
    for case, lrs in facts["lr_used_in_epoch"].items():
        epochs, lr = (float(part.split("=")[1]) for part in case.split(","))
        assert rates(int(epochs), lr, {"name": "cosine_epoch", **warmup}) == pytest.approx(lrs, rel=1e-9)


def rates(epochs: int, lr: float, schedule: dict) -> list[float]:
    optimizer = {"name": "sgd", "lr": lr}
    training = Training(epochs=epochs, batch_size=1, optimizer=optimizer, schedule=schedule)
    return [learning_rate(training, epoch, 0, 1) for epoch in range(epochs)]
