"""What the sentences of each source are like: how many, how long, how often twice, and whose words they share."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from papertables.artefacts.computed.computed_table import Column, ComputedRow, ComputedTable, Source
from papertables.attributes.cleaning import apologises, names, names_another, starts_in_the_middle
from papertables.attributes.sampling import Sentences, read_sentences, usable
from papertables.data.catalog import dataset
from papertables.methods.table import METHODS
from papertables.planning.asking import source_said

M = METHODS["attrvr"].options["m"]
COLUMNS = (
    Column("sentences per class", "", digits=1),
    Column("fewest", ""),
    Column(f"classes under m = {M}", ""),
    Column("characters", ""),
    Column("twice (%)", "", digits=1),
    Column("own name (%)", "", digits=1),
    Column("another's name (%)", "", digits=1),
    Column("by mistake (%)", "", digits=1),
    Column("words of other classes (%)", ""),
    Column("words of other sources (%)", ""),
)
HOW = (
    "Read from the files of sentences of this scale. Sentences per class, and the fewest of a class, are of one kind, "
    f"descriptive or distinctive; m = {M} of each are drawn, of fewer some twice.",
    "Twice: stands in another place of the same list. Own and another's name: holds the name of its class, or of "
    "another class of the set. By mistake: starts in the middle of a sentence, or apologises.",
    "Words of other classes: of the different words of a class's sentences those that another class of the set has. "
    "Words of other sources: of the words that two sources have for a class those that both have, mean over sources.",
)

Files = tuple[Sentences, Sentences]


def compute(source: Source) -> ComputedTable:
    read = {place: tuple(read_sentences(Path(path)) for path in files) for place, files in source.sentences.items()}
    rows = []
    for label, place in source.planned.sentences.items():
        others = [files for other, files in read.items() if other[1] == place[1] and other != place]
        rows.append(ComputedRow(label, ("", label, ""), _values(read[place], others)))
    return ComputedTable("Data set and source", "Numbers and shares", COLUMNS, tuple(rows), _notes(source), HOW)


def _notes(source: Source) -> tuple[str, ...]:
    config = source.planned.scope.config
    told = dict.fromkeys(source_said(config, each) for each, _ in source.planned.sentences.values())
    sets = dict.fromkeys(dataset(name).label for _, name in source.planned.sentences.values())
    return (f"Data sets: {', '.join(sets)}. Sources: {'; '.join(told)}.",)


def _values(files: Files, others: Sequence[Files]) -> tuple[float, ...]:
    lists = [(name, texts) for kind in files for name, texts in kind.items()]
    texts = [(name, text) for name, own in lists for text in own]
    known, counts = list(files[0]), [len(usable(own)) for _, own in lists]
    few = {name for name, own in lists if len(usable(own)) < M}
    return (
        fmean(counts),
        min(counts),
        len(few),
        fmean(len(text) for _, text in texts),
        100 * (1 - sum(len({text.lower() for text in own}) for _, own in lists) / len(texts)),
        _share(names(text, name) for name, text in texts),
        _share(names_another(text, name, known) for name, text in texts),
        _share(starts_in_the_middle(text) or apologises(text) for _, text in texts),
        _shared_words(files),
        fmean([_overlap(files, other) for other in others] or [0]),
    )


def _share(holds: Iterable[bool]) -> float:
    """In percent."""
    return 100 * fmean(holds)


def _words(files: Files) -> Mapping[str, set[str]]:
    """By class."""
    return {
        name: set(re.findall(r"\w+", " ".join(files[0][name] + files[1].get(name, [])).lower())) for name in files[0]
    }


def _shared_words(files: Files) -> float:
    """Of each class's words those that another class has, in percent, the mean over classes."""
    words = _words(files)
    having: dict[str, int] = {}
    for own in words.values():
        for word in own:
            having[word] = having.get(word, 0) + 1
    return fmean(100 * sum(having[word] > 1 for word in own) / max(1, len(own)) for own in words.values())


def _overlap(files: Files, other: Files) -> float:
    """The words of both over the words of either, in percent, the mean over classes that both have."""
    ours, theirs = _words(files), _words(other)
    return fmean(
        100 * len(ours[name] & theirs[name]) / max(1, len(ours[name] | theirs[name])) for name in ours if name in theirs
    )
