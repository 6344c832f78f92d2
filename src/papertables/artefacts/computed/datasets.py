"""Sizes of a paper's data sets (SMM, table 6), from the catalog."""

from papertables.artefacts.computed.computed_table import Column, ComputedRow, ComputedTable, Source
from papertables.artefacts.notes import choice_notes
from papertables.data.catalog import dataset
from papertables.specs.artefact import Axis

BACKBONE, METHOD = "resnet18", "pad"  # whose images keep their size
COLUMNS = (
    Column("image side (px)", "original image size"),
    Column("training images", "training set size"),
    Column("test images", "testing set size"),
    Column("classes", "number of classes"),
)


def compute(source: Source) -> ComputedTable:
    rows, cells = [], list(source.cells(Axis(vary="backbone", values=(BACKBONE,)), METHOD))
    for cell in cells:
        run = cell.members[0].runs[0]
        entry = dataset(run.dataset)
        values = (run.options["inner"], entry.train, entry.test, entry.classes)
        rows.append(ComputedRow(entry.label, ("", cell.row.published, ""), values))
    notes = (
        "Training and test images and classes are those of the catalog, against which every download is checked; the "
        "image side is that to which padding resizes.",
        *choice_notes(source.paper, cells, "dataset"),
    )
    return ComputedTable("Data set", "Numbers of images and classes", COLUMNS, tuple(rows), notes)
