"""Curves as lines of a drawing."""

from papertables.artefacts.curve import HEIGHT, WIDTH, panels
from papertables.results.metrics import Epoch


def epoch(number, test, train=50.0, loss=2.0):
    return Epoch(epoch=number, lr=1, train_loss=loss, train_accuracy=train, test_accuracy=test)


def test_lines_begin_left_and_end_right_between_round_numbers():
    accuracy, loss = panels([epoch(1, 40.0), epoch(2, None), epoch(3, 60.0)])
    assert [line.name for line in accuracy.lines] == ["test", "training"]
    assert accuracy.lines[0].points == f"0.0,{HEIGHT:.1f} {WIDTH:.1f},0.0"
    assert [text for _, text in accuracy.up] == ["40", "45", "50", "55", "60"]
    assert [text for _, text in accuracy.across] == ["1", "2", "3"]
    assert len(loss.lines[0].points.split()) == 3


def test_what_has_no_numbers_is_not_drawn():
    assert panels([]) == []
    accuracy, _ = panels([epoch(1, None)])
    assert [line.name for line in accuracy.lines] == ["training"]
    assert len(panels([epoch(1, 40.0, loss=None)])) == 1
