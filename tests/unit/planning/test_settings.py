"""Settings as layers: which wins, and where a value came from."""

import pytest

from papertables.planning.scope import Scope
from papertables.planning.settings import Layer, Settings
from papertables.specs.paper import Adjustment
from papertables.specs.scale import Substitutes
from tests.unit import artefact_world as world

OPTIONS = {"pad": 30}
CELL = {"method": "vp", "dataset": "dtd", "backbone": "clip_vit_b16", "protocol": "few_shot"}


def scope(**declared) -> Scope:
    """The paper of the made-up artefact with a row, adjustments and a scale of one's own."""
    row = world.PAPER.methods["vp"].model_copy(update=declared.get("row", {}))
    adjust = tuple(map(Adjustment.model_validate, declared.get("paper", ())))
    paper = world.PAPER.model_copy(update={"methods": world.PAPER.methods | {"vp": row}, "adjust": adjust})
    substitutes = Substitutes(datasets=("dtd",), backbones={"clip_vit_b16": "mini-vit"}, **declared.get("scale", {}))
    scale = world.MINI_SCALE.model_copy(update={"papers": {"attrvr": substitutes}})
    return Scope(paper, scale, world.config())


def test_later_layers_win_and_values_know_where_from():
    layers = (Layer("paper", {"training": {"epochs": 4, "optimizer": {"name": "sgd", "lr": 40}}}),)
    layers += (Layer("scale", {"training": {"optimizer.lr": 2}}), Layer("cell", {"training.epochs": 1, "shots": 4}))
    made = Settings(layers)
    assert made.of("training") == {"epochs": 1, "optimizer": {"name": "sgd", "lr": 2}}
    origins = {
        path: made.origin(f"training.{path}") for path in ("epochs", "optimizer.lr", "optimizer.name", "precision")
    }
    assert origins == {"epochs": "cell", "optimizer.lr": "scale", "optimizer.name": "paper", "precision": None}
    assert made.declared.of("training") == {"epochs": 4, "optimizer": {"name": "sgd", "lr": 40}}


GENERAL, SPECIAL = {"dataset": ["dtd"]}, {"method": ["vp"]}
LADDER = [
    ("paper", {}, 4),
    ("scale", {"scale": {"training": {"epochs": 5}}}, 5),
    ("scale", {"scale": {"adjust": [{"when": GENERAL, "set": {"training.epochs": 6}}]}}, 6),
    ("paper", {"row": {"training": {"epochs": 7}}}, 7),
    ("paper", {"paper": [{"when": GENERAL, "set": {"training.epochs": 8}}]}, 8),
    ("scale", {"scale": {"adjust": [{"when": SPECIAL, "set": {"training.epochs": 9}}]}}, 9),
]


@pytest.mark.parametrize("upper", range(len(LADDER)))
@pytest.mark.parametrize("lower", range(len(LADDER)))
def test_what_is_said_of_a_method_wins_over_what_is_said_in_general(lower, upper):
    """Of two layers the upper one, whatever the other says; the cell over all."""
    if lower >= upper or (LADDER[lower][1].keys() & LADDER[upper][1].keys()):
        lower = upper
    origin, declared, epochs = LADDER[max(lower, upper)]
    settings = scope(**LADDER[lower][1], **declared) if lower != upper else scope(**declared)
    made = settings.settings(OPTIONS, CELL)
    assert made.of("training")["epochs"] == epochs
    assert made.origin("training.epochs") == origin
    cell = settings.settings(OPTIONS, CELL | {"training.epochs": 1})
    assert (cell.of("training")["epochs"], cell.origin("training.epochs")) == (1, "cell")


@pytest.mark.parametrize(
    ("declared", "lost"),
    [
        ({"scale": {"training": {"epochs": 5}}}, []),
        ({"row": {"training": {"epochs": 7}}}, []),
        ({"row": {"training": {"epochs": 7}}, "scale": {"training": {"epochs": 7}}}, []),
        ({"row": {"training": {"epochs": 7}}, "scale": {"training": {"epochs": 5}}}, [("mini", "attrvr")]),
        (
            {
                "row": {"training": {"epochs": 7}},
                "scale": {"adjust": [{"when": SPECIAL, "set": {"training.epochs": 9}}]},
            },
            [("attrvr", "mini")],
        ),
    ],
)
def test_what_another_layer_overrides_is_known(declared, lost):
    """Between what a paper says of its methods and what a scale says: whose value is lost, and whose holds."""
    files = {"mini": "workflow/scales/mini.yaml", "attrvr": "workflow/papers/attrvr/protocol.yaml"}
    found = scope(**declared).settings(OPTIONS, CELL).overridden()
    assert list(found) == [("training.epochs", files[loser], files[winner]) for loser, winner in lost]


def test_an_adjustment_of_an_option_leaves_methods_without_it_alone():
    adjusted = scope(paper=[{"when": GENERAL, "set": {"options.inner": 32, "options.pad": 5}}])
    assert adjusted.settings(OPTIONS, CELL).of("options") == {"pad": 5}
    assert adjusted.settings({}, CELL).of("options") == {}


def test_the_published_scope_substitutes_nothing():
    substituted = scope(scale={"training": {"epochs": 5}, "dataset_substitutes": {"dtd": "mini_cloths"}})
    assert substituted.dataset("dtd") == "mini_cloths"
    published = substituted.published
    assert published.dataset("dtd") == "dtd"
    assert published.backbone("clip_vit_b16").id == "clip_vit_b16"
    assert published.settings(OPTIONS, CELL).of("training")["epochs"] == 4
    assert published.datasets == world.PAPER.datasets
