"""The weight of every combination after a search (ATPrompt, table 13)."""

from papertables.artefacts.compare import Quote, read
from papertables.artefacts.computed.computed_table import Column, ComputedRow, ComputedTable, Source
from papertables.artefacts.table import PublishedTable
from papertables.backbones.catalog import backbone
from papertables.data.catalog import dataset
from papertables.specs.artefact import Published

COLUMNS = (Column("weight", "weight", digits=3),)


def compute(source: Source) -> ComputedTable:
    (name, results), *_ = source.searched().items()
    label = dataset(name).label
    tower = backbone(source.artefact.fixed["backbone"]).label
    rows = []
    for i, combination in enumerate(results[0].combinations):
        words = f"({', '.join(combination)})"
        rows.append(ComputedRow(words, (tower, label, words), (tuple(result.last[i] for result in results),)))
    (printed,) = read(source.published_folder, [Published(file=source.artefact.published[0].file, metric="weight")])
    quotes: list[Quote] = [each for found in printed.quotes.values() for each in found]
    (value,) = source.rows()
    other = None
    if value.label != label:
        names = tuple(each.method for each in quotes)
        other = PublishedTable(rows=names, columns=(value.label,), quotes=tuple((each,) for each in quotes))
    seeds = ", ".join(str(result.spec.seed) for result in results)
    epochs = results[0].spec.epochs
    how = (
        f"Searched on {label} with {backbone(results[0].spec.backbone).label}: the softmax of the weights after "
        f"{epochs} epochs, mean ± sample standard deviation over seeds {seeds}.",
        f"Combinations: {results[0].spec.sizes}; validation: {results[0].spec.validation}.",
    )
    found = tuple(dict.fromkeys(each.source for each in quotes))
    return ComputedTable("Combination", "Weights, which sum to 1", COLUMNS, tuple(rows), (), how, other, found)
