"""What is kept of a run's label mappings and program, on disk and through a checkpoint."""

import io
import math

import numpy as np
import pytest
import torch

from papertables.base.errors import UserError
from papertables.methods.mapping_heads import MappingHead
from papertables.methods.sources import LinearSource
from papertables.results.mappings import read_mappings
from papertables.training.mapping_history import TOP, Mappings, change, kept, recall

pytestmark = pytest.mark.slow

LABELS, CLASSES, WIDTH = 30, 4, 6


def head(rule: str) -> MappingHead:
    stream = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(LABELS, WIDTH, generator=stream), torch.randn(LABELS, generator=stream)
    return MappingHead(LinearSource(weight, bias), CLASSES, rule, "epoch", seed=0)


def remapped(one: MappingHead, seed: int) -> torch.Tensor:
    """Gives the head a new mapping; returns the one before."""
    before = one.mapping.clone()
    stream = torch.Generator().manual_seed(seed)
    one.observe(torch.randn(200, WIDTH, generator=stream), torch.randint(CLASSES, (200,), generator=stream))
    one.remap()
    return before


def history(rule: str, epochs: int = 3) -> tuple[Mappings, list[torch.Tensor]]:
    """With the mappings themselves."""
    one, made, mappings = head(rule), Mappings(), []
    for epoch in range(1, epochs + 1):
        made.add(epoch, remapped(one, epoch), one)
        made.snapshot(epoch, epochs, torch.full((3, 2, 2), epoch / 8))
        mappings.append(one.mapping.clone())
    return made, mappings


def on_disk(made: Mappings, folder) -> dict[str, np.ndarray]:
    (folder / "mappings.npz").write_bytes(made.file())
    return read_mappings(folder / "mappings.npz")


@pytest.mark.parametrize("rule", ["one_to_one", "bayesian"])
def test_the_file_holds_epochs_labels_weights_and_changes(rule, tmp_path):
    made, mappings = history(rule)
    read = on_disk(made, tmp_path)
    assert read["epochs"].tolist() == [1, 2, 3]
    width = 1 if rule == "one_to_one" else TOP
    assert read["sources"].shape == read["weights"].shape == (3, CLASSES, width)
    assert math.isnan(read["changes"][0])
    assert read["changes"][2] == pytest.approx(change(mappings[1], mappings[2])) and read["changes"][2] > 0
    for number, mapping in enumerate(mappings):
        if rule == "one_to_one":
            assert read["sources"][number, :, 0].tolist() == mapping.tolist()
            assert (read["weights"] == 1).all()
        else:
            heaviest = mapping.sort(dim=0, descending=True).values[:TOP].T
            np.testing.assert_allclose(read["weights"][number], heaviest, rtol=1e-3)


def test_changes_of_sequences_are_those_of_their_matrices():
    one, other = torch.tensor([3, 1, 2, 0]), torch.tensor([3, 2, 1, 0])
    matrices = [torch.nn.functional.one_hot(each, LABELS).T.float() for each in (one, other)]
    assert change(one, other) == pytest.approx(change(*matrices)) == 2.0


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(200, [1, 50, 100, 150, 200]), (6, [1, 2, 3, 5, 6]), (3, [1, 2, 3]), (2, [1, 2]), (1, [1])],
)
def test_programs_are_kept_after_the_first_epoch_and_each_quarter(epochs, expected, tmp_path):
    assert kept(epochs) == expected
    made, one = Mappings(), head("one_to_one")
    made.add(1, remapped(one, 1), one)
    program = torch.nn.Parameter(torch.zeros(3, 4, 4))
    for epoch in range(1, epochs + 1):
        with torch.no_grad():
            program.fill_(epoch / 256)
        made.snapshot(epoch, epochs, program)
    read = on_disk(made, tmp_path)
    assert read["program_epochs"].tolist() == expected
    assert read["programs"].dtype == np.float16 and read["programs"].shape == (len(expected), 3, 4, 4)
    assert read["programs"][:, 0, 0, 0].tolist() == [epoch / 256 for epoch in expected]


def test_a_half_precision_program_is_copied():
    program, made = torch.zeros(3, 2, 2, dtype=torch.float16), Mappings()
    made.snapshot(1, 1, program)
    program.fill_(1)
    assert (made.programs[0] == 0).all()


def test_a_run_without_a_program_has_none(tmp_path):
    made, one = Mappings(), head("one_to_one")
    made.add(1, remapped(one, 1), one)
    read = on_disk(made, tmp_path)
    assert read["program_epochs"].shape == (0,) and "programs" not in read


@pytest.mark.parametrize("rule", ["one_to_one", "bayesian"])
def test_a_checkpoint_of_plain_values_loses_nothing(rule):
    made, _ = history(rule)
    buffer = io.BytesIO()
    torch.save(made.state(), buffer)
    buffer.seek(0)
    again = Mappings(**torch.load(buffer, weights_only=True))
    assert again.file() == made.file()
    again.snapshot(3, 3, torch.zeros(3, 2, 2))
    assert len(again.programs) == len(made.programs) + 1


def test_a_one_to_one_mapping_comes_back_whole(tmp_path):
    made, mappings = history("one_to_one")
    read, one = on_disk(made, tmp_path), head("one_to_one")
    for number, mapping in enumerate(mappings):
        recall(read, one, number)
        assert (one.mapping == mapping).all()


def test_of_a_bayesian_mapping_the_heaviest_labels_come_back(tmp_path):
    made, mappings = history("bayesian")
    one = head("bayesian")
    recall(on_disk(made, tmp_path), one)
    heavy = mappings[0] >= mappings[0].sort(dim=0, descending=True).values[TOP - 1]
    expected = mappings[0].where(heavy, 0)
    assert (one.mapping[~heavy] == 0).all()
    torch.testing.assert_close(one.mapping.sum(0), torch.ones(CLASSES))
    torch.testing.assert_close(one.mapping, expected / expected.sum(0), rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_a_missing_or_damaged_file_is_named(content, tmp_path):
    path = tmp_path / "mappings.npz"
    if content:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"mappings\.npz: (no label mappings|damaged)"):
        read_mappings(path)
