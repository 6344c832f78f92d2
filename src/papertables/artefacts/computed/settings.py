"""How SMM's mask networks are trained (its table 9), from the settings of the runs."""

from papertables.artefacts.computed.computed_table import Column, ComputedRow, ComputedTable, Source
from papertables.artefacts.notes import choice_notes
from papertables.planning.planned import Cell
from papertables.specs.artefact import Axis
from papertables.specs.spec import Part

METHOD, NETWORK = "smm", "pixels.network"
BACKBONES = ("resnet18", "vit_b32_384")  # with mask networks of 5 and of 6 layers
COLUMNS = (
    Column("batch size", "batch size"),
    Column("first milestone (epoch)", "milestones", part=1),  # printed as [0, 100, 145]
    Column("second milestone (epoch)", "milestones", part=2),
    Column("learning rate, 5 layers", "alpha, 5-layer (ResNet)", digits=3),
    Column("decay, 5 layers", "gamma, 5-layer (ResNet)", digits=1),
    Column("learning rate, 6 layers", "alpha, 6-layer (ViT)", digits=3),
    Column("decay, 6 layers", "gamma, 6-layer (ViT)", digits=1),
)


def compute(source: Source) -> ComputedTable:
    cells = list(source.cells(Axis(vary="backbone", values=BACKBONES), METHOD))
    label = source.paper.methods[METHOD].label
    rows = tuple(_row(*pair, label) for pair in zip(cells[::2], cells[1::2], strict=True))
    notes = ("The printed milestone 0 changes nothing and is left out.", *choice_notes(source.paper, cells, "training"))
    return ComputedTable("Data set", "Settings of the mask networks", COLUMNS, rows, notes)


def _row(five: Cell, six: Cell, method: str) -> ComputedRow:
    training = five.members[0].runs[0].training
    small, large = network_part(five), network_part(six)
    milestones = [int(share * training.epochs) for share in small.schedule.milestones]
    rates = [value for part in (small, large) for value in (part.optimizer.lr, part.schedule.gamma)]
    return ComputedRow(
        five.members[0].dataset, ("", five.row.published, method), (training.batch_size, *milestones, *rates)
    )


def network_part(cell: Cell) -> Part:
    """The rules by which the mask network is trained: its own, or those of everything."""
    training = cell.members[0].runs[0].training
    return training.parts.get(NETWORK, Part(optimizer=training.optimizer, schedule=training.schedule))
