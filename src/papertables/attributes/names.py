"""The class names of a data set against its files of sentences."""

from collections.abc import Collection, Iterable
from pathlib import Path

from papertables.attributes.catalog import spelt_otherwise
from papertables.attributes.sampling import Sentences, read_sentences, sentences_of
from papertables.base.errors import UserError, did_you_mean
from papertables.data.splits import read_split


def check_names(split: Path, files: Iterable[Path]) -> None:
    """Raises UserError where the classes of the split and those of a file do not agree, see ``check_classes``.

    What is not there yet is not asked about: the rule that makes it calls this again. Split and sentences appear
    whole, so the one that comes second sees both, and nothing trains without either.
    """
    present = [file for file in files if file.exists()]
    if not present or not split.exists():
        return
    names = read_split(split).class_names
    for file in present:
        check_classes(names, read_sentences(file))


def check_classes(names: Collection[str], sentences: Sentences) -> None:
    """Raises UserError for the first class that has no usable sentence, and for an entry that is of no class."""
    for name in names:
        sentences_of(name, sentences)
    strange = [name for name in sentences if name not in {*names, *spelt_otherwise(sentences.file).values()}]
    if strange:
        raise UserError(
            f"{sentences.file}: '{strange[0]}' is no class of this data set{did_you_mean(strange[0], names)}: delete "
            f"its entry{f' and {len(strange) - 1} more' if strange[1:] else ''}, or mend the name"
        )
