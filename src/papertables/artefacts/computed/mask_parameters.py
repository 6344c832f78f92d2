"""Parameters of SMM's mask networks (its tables 4 and 11), counted from the architectures."""

import torch

from papertables.artefacts.computed.computed_table import Column, ComputedRow, ComputedTable, Source
from papertables.backbones import classifier
from papertables.backbones.catalog import Backbone, backbone
from papertables.methods.masks import MaskNetwork
from papertables.planning.planned import Cell
from papertables.specs.artefact import Axis

METHOD = "smm"
COLUMNS = (
    Column("input side (px)", "input size"),
    Column("layers", "f_mask CNN layers"),
    Column("parameters of f_mask", "extra parameters of f_mask"),
    Column("share of the pattern's (%)", "extra params / reprogramming params (%)", digits=2),
    Column("share of the backbone's (%)", "extra params / pre-trained params (%)", digits=2),
)


def compute(source: Source) -> ComputedTable:
    label = source.paper.methods[METHOD].label
    some = Axis(vary="dataset", values=source.paper.datasets[:1])
    rows = tuple(_row(cell, label) for cell in source.cells(some, METHOD))
    return ComputedTable("Network", "Numbers of parameters and shares in percent", COLUMNS, rows)


def _row(cell: Cell, method: str) -> ComputedRow:
    run = cell.members[0].runs[0]
    tower = backbone(run.backbone)
    network = MaskNetwork(*(run.options[name] for name in ("layers", "patch", "channels", "width")))
    extra = sum(parameter.numel() for parameter in network.parameters())
    pattern = 3 * tower.image_size**2
    shares = (100 * extra / pattern, 100 * extra / backbone_parameters(tower))
    name = tower.label
    if len(cell.row.settings) > 1:  # more than the backbone
        name += f": {cell.row.label}, width {run.options['width']}"
        method += f"[{cell.row.published}]"
    return ComputedRow(name, (tower.label, "", method), (tower.image_size, run.options["layers"], extra, *shares))


def backbone_parameters(tower: Backbone) -> int:
    """The parameters of the whole classifier, its last layer included."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in classifier.build(tower).parameters())
