"""The class names of a data set against its files of sentences."""

from collections.abc import Iterable
from pathlib import Path

from papertables.attributes.sampling import read_sentences, sentences_of
from papertables.data.splits import read_split


def check_names(split: Path, files: Iterable[Path]) -> None:
    """Raises UserError for the first class of the split that has no usable sentence in one of the files.

    What is not there yet is not asked about: the rule that makes it calls this again. Split and sentences appear
    whole, so the one that comes second sees both, and nothing trains without either.
    """
    present = [file for file in files if file.exists()]
    if not present or not split.exists():
        return
    names = read_split(split).class_names
    for file in present:
        sentences = read_sentences(file)
        for name in names:
            sentences_of(name, sentences)
