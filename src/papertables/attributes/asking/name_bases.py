"""ATPrompt's attribute bases of a data set, from a language model in two steps (its section 3.3)."""

import re
from pathlib import Path

from papertables.attributes.asking import record
from papertables.attributes.asking.asking import Asking, asking
from papertables.attributes.asking.prompts import Request, listing
from papertables.attributes.asking.reading import choices_of, trouble
from papertables.attributes.bases import problem
from papertables.base.errors import UserError
from papertables.data.splits import read_split
from papertables.specs.language_models import BASES
from papertables.specs.rules import BasesJob


def name_bases(job: BasesJob, out: Path) -> None:
    """Writes the bases with the number of tokens that each has in CLIP, and the record beside them."""
    names = list(dict.fromkeys(read_split(Path(job.prepared.split)).class_names))
    source, first = job.source, listing(job.source, job.task, names)
    with asking(source, Path(job.answers), f"{source.id} {out.stem}", 2) as asked:
        said = _said(asked, (first,))
        turns = (first, said, source.prompts.bases.format(task=job.task))
        repeats = 0
        while reason := problem(words := parse(answer := _said(asked, turns)), names):
            print(f"{answer!r}: {reason}")
            if repeats == source.attempts:
                raise UserError(
                    f"{source.id}, {job.dataset} bases: no five single words after asking {repeats} times more "
                    f"({reason}): change prompts or bases, or raise attempts, in {source.place}; all answers are kept"
                )
            repeats += 1
            turns = (*turns, answer, source.prompts.again.format(task=job.task, reason=reason))
    content = {"bases": words, "tokens": tokens(words)}
    record.write(out, content, asked, {"kind": "bases", "prompt": [first, turns[2]], "asked_again": repeats})


def _said(asked: Asking, turns: tuple[str, ...]) -> str:
    """What the model says next. Raises UserError where it says nothing that can be read, however often it is asked."""
    source = asked.source
    for number in range(1 + source.attempts):
        request = Request(source, turns, source.bases, number)
        (choice, *_) = choices_of(asked.answer(request).body)
        why = trouble(choice, source, shortest=0)
        if why is None:
            return choice.text.strip()
    raise UserError(
        f"{source.id}: no answer about attribute bases that does ({why}): change prompts or bases in "
        f"{source.place}; all answers are kept"
    )


def parse(answer: str) -> list[str]:
    """The words of a list, whatever numbers, bullets or stars stand before them; of several lines those that list
    five."""
    lines = [_words(line) for line in answer.splitlines()]
    whole = [words for words in lines if len(words) == BASES]
    if whole:
        return whole[-1]
    single = [words[0] for words in lines if len(words) == 1]
    return single if len(single) == BASES else _words(answer.replace("\n", ","))


def _words(line: str) -> list[str]:
    parts = re.split(r"[,;/]|\band\b", re.sub(r"^[^:]*:\s*(?=\S)", "", line))
    plain = [re.sub(r"^[\s\d.)*\-–•_`\"']+|[\s.*_`\"'!]+$", "", part).lower() for part in parts]
    return [word for word in plain if word]


def tokens(words: list[str]) -> dict[str, int]:
    """How many tokens each word has in CLIP's tokenizer: the released prompts give every word one."""
    from open_clip.tokenizer import SimpleTokenizer  # imports torch

    tokenizer = SimpleTokenizer()
    return {word: len(tokenizer.encode(word)) for word in words}
