"""Images on their way to a device: what a GPU would hold, and what is read ahead, are what the cache gives."""

import threading

import numpy as np
import pytest
import torch

from papertables.data.cache import ImageCache
from papertables.data.feed import Resident, ahead, on_device, resident

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def images() -> ImageCache:
    return cache_of([(4, 6), (5, 3), (4, 4), (2, 7)])


def cache_of(shapes: list[tuple[int, int]]) -> ImageCache:
    sizes = np.array(shapes)
    offsets = np.concatenate([[0], np.cumsum(3 * sizes.prod(axis=1))])
    content = np.random.default_rng(0).integers(0, 256, offsets[-1], dtype=np.uint8)
    return ImageCache(np.arange(4), np.arange(4), sizes, offsets, content)


@pytest.mark.parametrize("rows", [[1, 3], [3, 3, 1], [2], [2, 1, 3]])
def test_a_resident_gives_the_batches_of_the_cache(images, rows):
    rows = np.array(rows)
    there = Resident(images, [1, 2, 3], CPU)
    assert len(there.content) == 3 * (15 + 16 + 14)
    assert torch.equal(there.batch(rows), torch.from_numpy(images.batch(rows)))
    assert torch.equal(on_device(there, rows, CPU), on_device(images, rows, CPU))


@pytest.mark.parametrize("rows", [[1, 3], [3, 3, 1], [2]])
def test_images_of_one_shape_are_taken_at_once(rows, monkeypatch):
    images = cache_of([(5, 5), (4, 6), (4, 6), (4, 6)])
    there, rows = Resident(images, [1, 3, 2], CPU), np.array(rows)
    monkeypatch.setattr(there, "starts", None)  # by which images of several shapes are found, one after the other
    assert torch.equal(there.batch(rows), torch.from_numpy(images.batch(rows)))


def test_a_cpu_reads_the_cache_itself(images):
    assert resident(images, [0, 1], CPU) is images


@pytest.mark.parametrize(("free", "kind"), [(10**6, Resident), (100, ImageCache)])
def test_a_gpu_keeps_what_it_has_room_for(images, monkeypatch, free, kind):
    monkeypatch.setattr("papertables.data.feed.free_memory", lambda device: free)
    monkeypatch.setattr("papertables.data.feed.Resident", lambda images, rows, device: Resident(images, rows, CPU))
    assert type(resident(images, [0, 1], GPU)) is kind


def test_the_next_is_made_while_one_is_used():
    began = [threading.Event() for _ in range(3)]

    def make(key: int) -> int:
        began[key].set()
        return 10 * key

    given = ahead(make, range(3), GPU)
    assert next(given) == 0
    assert began[1].wait(10)
    assert list(given) == [10, 20]
    assert list(ahead(make, range(3), CPU)) == [0, 10, 20] and list(ahead(make, [], GPU)) == []


def test_what_fails_ahead_is_told_where_it_is_wanted():
    given = ahead(lambda key: 1 // key, [1, 0], GPU)
    assert next(given) == 1
    with pytest.raises(ZeroDivisionError):
        next(given)
