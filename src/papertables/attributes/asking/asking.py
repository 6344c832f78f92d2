"""Asks a source: what is stored is read, what is not is asked for, stored and then read."""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import Event, Lock
from typing import TypeVar

from papertables.attributes.asking.answers import Answer, Answers
from papertables.attributes.asking.limits import Spent
from papertables.attributes.asking.prompts import Request
from papertables.attributes.asking.server import Server
from papertables.base.progress import bar
from papertables.specs.language_models import LanguageModel

Given, Made = TypeVar("Given"), TypeVar("Made")


class Stopped(Exception):
    """Another request failed."""


class Asking:
    """Of one job. used: the answers that it took, by the names of their requests."""

    def __init__(self, source: LanguageModel, folder: Path, title: str, expected: int):
        self.source, self.answers = source, Answers(folder)
        self.used: dict[str, Answer] = {}
        self.spent = Spent(source)
        for answer in self.answers.all():
            self.spent.count(answer)
        self._stop, self._lock = Event(), Lock()
        self.bar = bar(title, expected, 0, "request", sys.__stderr__)

    def answer(self, request: Request) -> Answer:
        """Stored, or asked for now. Raises UserError where there is none."""
        answer = self.answers.read(request) or self._new(request)
        with self._lock:
            self.used[request.name] = answer
            self.bar.total = max(self.bar.total, len(self.used))
            self.bar.update(len(self.used) - self.bar.n)
            self.bar.set_postfix_str(str(self.spent))
        return answer

    def refuse(self, request: Request, why: str) -> Answer:
        """Stores that a server does not understand a request, so that it is not asked again."""
        self.used[request.name] = self.answers.write(request, refused=why)
        return self.used[request.name]

    def each(self, work: Callable[[Given], Made], given: Iterable[Given]) -> list[Made]:
        """The work for each, some at a time; the first that fails stops the others before their next request."""
        with ThreadPoolExecutor(self.source.concurrency) as pool:
            futures = [pool.submit(work, each) for each in given]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:  # where one failed, or the job is to end: what is being asked is still stored
                if not all(future.done() and not future.exception() for future in futures):
                    self._stop.set()
        for error in (future.exception() for future in futures):
            if error and not isinstance(error, Stopped):
                raise error
        return [future.result() for future in futures]

    def _new(self, request: Request) -> Answer:
        if self._stop.is_set():
            raise Stopped
        self.spent.begin(request)
        answer = None
        try:
            answer = self.answers.write(request, self.server.answer(request))
        finally:
            self.spent.end(request, answer)
        return answer

    @cached_property
    def server(self) -> Server:
        return Server(self.source)


@contextmanager
def asking(source: LanguageModel, folder: Path, title: str, expected: int) -> Iterator[Asking]:
    with Answers(folder).held():
        found = Asking(source, folder, title, expected)
        try:
            yield found
        finally:
            found.bar.close()
