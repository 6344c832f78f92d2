"""The drawings of figures, and what each needs: the one table that plan, notes and figures ask."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Drawing:
    """inspects: what a run makes of single images has to be looked at first. searches: shows attribute searches.
    pools: of means, which may be means over a pool. selects: of one selected epoch. single: of one run per cell.
    classes: of some classes, which may be named."""

    inspects: bool = False
    searches: bool = False
    pools: bool = False
    selects: bool = False
    single: bool = False
    classes: bool = False


OF_ONE_EPOCH = Drawing(inspects=True, selects=True, single=True)
OF_CLASSES = replace(OF_ONE_EPOCH, classes=True)
DRAWINGS = {
    "lines": Drawing(pools=True, selects=True),
    "selection": Drawing(pools=True),
    "curves": Drawing(),
    "patterns": Drawing(selects=True, single=True),
    "embeddings": OF_CLASSES,
    "neighbours": OF_ONE_EPOCH,
    "masks": OF_ONE_EPOCH,
    "confidence": OF_ONE_EPOCH,
    "loss_change": OF_ONE_EPOCH,
    "top_labels": OF_CLASSES,
    "evolution": Drawing(inspects=True, single=True, classes=True),
    "search": Drawing(searches=True),
}
