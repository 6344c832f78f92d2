"""AttrVR's sentences of one kind for every class of a data set, from a language model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from papertables.attributes.asking import record
from papertables.attributes.asking.asking import Asking, asking
from papertables.attributes.asking.images import images_of
from papertables.attributes.asking.prompts import Picture, Request, describing
from papertables.attributes.asking.reading import Choice, choices_of, trouble
from papertables.attributes.asking.server import NotUnderstood
from papertables.attributes.cleaning import cleaned
from papertables.base.errors import UserError
from papertables.data.splits import read_split
from papertables.specs.rules import DescribeJob

NAMED = 5  # classes in an error


def describe(job: DescribeJob, out: Path) -> None:
    """Writes ``out`` and the record beside it. Raises UserError, and writes neither, where a class has too few
    sentences; the answers are kept."""
    source, split = job.source, Path(job.prepared.split)
    read = read_split(split)
    names = list(dict.fromkeys(read.class_names))
    shown = images_of(read, split.parent, source) if source.images else {}
    with asking(source, Path(job.answers), f"{source.id} {out.stem}", len(names)) as asked:
        work = Describing(job, asked, shown)
        first, *others = names
        work.find_out(first)  # alone, so that all others are asked in one way, however often this is begun
        asked.bar.total = len(names) * (source.sentences.n if work.single else 1)
        found = dict(zip(names, [work.of(first), *asked.each(work.of, others)], strict=True))
    kept, dropped = cleaned({name: each for name, (each, _) in found.items()}, source.cleaning)
    failed = {name: each for name, (_, each) in found.items()}
    short = {name: failed[name] + dropped[name] for name in names if len(kept[name]) < source.sentences.n}
    for name, why in short.items():
        print(f"{name}: {len(kept[name])} of {source.sentences.n} sentences{_because(why)}")
    few = [name for name in names if len(kept[name]) < source.at_least]
    if few:
        raise UserError(_too_few(job, few, {name: f"{len(kept[name])}{_because(short[name])}" for name in few}))
    said = {
        "kind": job.kind,
        "prompt": describing(source, job.kind, job.task, names[0]),
        "cleaning": source.cleaning,
        "dropped": dict(sum(dropped.values(), Counter())),
        "asked_again": dict(sum(failed.values(), Counter())),
        "short": {name: len(kept[name]) for name in short},
        "single_requests": work.single,
    }
    record.write(out, kept, asked, said)


class Describing:
    """single: whether the server gives one answer at a time, so that requests with other seeds take the place of n."""

    def __init__(self, job: DescribeJob, asked: Asking, shown: Mapping[str, Sequence[Picture]]):
        self.job, self.source, self.asked, self.shown = job, job.source, asked, shown
        self.n, self.single = job.source.sentences.n, False

    def find_out(self, name: str) -> None:
        """Asks for all sentences of a class at once, and learns whether the server can give them so."""
        if self.n == 1:
            return
        request = self._request(name, self.n, 0)
        try:
            answer = self.asked.answer(request)
        except NotUnderstood as error:
            self.asked.answer(self._request(name, 1, 1))  # if it does not understand this either, n is not the fault
            answer = self.asked.refuse(request, str(error))
        self.single = answer.refused is not None or len(choices_of(answer.body)) == 1

    def of(self, name: str) -> tuple[list[str], Counter[str]]:
        """Up to n answers, and how often which trouble made it ask again."""
        found: list[str] = []
        troubles: Counter[str] = Counter()
        number, requests = 0, [self.n]
        for attempt in range(1 + self.source.attempts):
            missing = self.n - len(found)
            if attempt or self.single:
                requests = [1] * missing if self.single else [missing]
            for n in requests if missing else ():
                choices = self._choices(name, n, number)
                number += 1
                reasons = [trouble(choice, self.source) for choice in choices]
                found += [choice.text for choice, why in zip(choices, reasons, strict=True) if why is None]
                troubles.update(why for why in reasons if why)
                troubles.update({"not given": n - len(choices)} if len(choices) < n else {})
        return found[: self.n], troubles

    def _choices(self, name: str, n: int, number: int) -> list[Choice]:
        answer = self.asked.answer(self._request(name, n, number))
        return choices_of(answer.body)[:n]

    def _request(self, name: str, n: int, number: int) -> Request:
        parameters = self.source.sentences.model_copy(update={"n": n})
        prompt = describing(self.source, self.job.kind, self.job.task, name)
        return Request(self.source, (prompt,), parameters, number, tuple(self.shown.get(name, ())))


def _because(why: Counter[str]) -> str:
    return f" ({', '.join(f'{count} {reason}' for reason, count in why.most_common())})" if why else ""


def _too_few(job: DescribeJob, few: Sequence[str], told: Mapping[str, str]) -> str:
    source = job.source
    shown = "; ".join(f"'{name}' {told[name]}" for name in few[:NAMED])
    more = f"; and {len(few) - NAMED} more, in the log" if len(few) > NAMED else ""
    return (
        f"{source.id}, {job.dataset} {job.kind}: {len(few)} classes have fewer than {source.at_least} sentences after "
        f"asking {source.attempts} times more: {shown}{more}: change prompts, sentences or cleaning, raise attempts, "
        f"or lower at_least in {source.place}; all answers are kept"
    )
