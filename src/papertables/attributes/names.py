"""The class names of a data set against its files of sentences."""

from collections.abc import Iterable
from pathlib import Path

from papertables.attributes.catalog import spelt_otherwise
from papertables.attributes.sampling import read_sentences, sentences_of
from papertables.base.errors import UserError, did_you_mean
from papertables.data.splits import read_split


def check_names(split: Path, files: Iterable[Path]) -> None:
    """Raises UserError for the first class of the split that has no usable sentence in one of the files, and for a
    class in a file that is none of the split's.

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
        strange = [name for name in sentences if name not in {*names, *spelt_otherwise(file).values()}]
        if strange:
            raise UserError(
                f"{file}: '{strange[0]}' is no class of this data set{did_you_mean(strange[0], names)}: delete its "
                f"entry{f' and {len(strange) - 1} more' if strange[1:] else ''}, or mend the name"
            )
