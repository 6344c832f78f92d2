"""What became of a paper's claims and of its printed numbers, as ``results/<scale>/verdicts/<paper>.json`` holds it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from papertables.base.seals import read_model
from papertables.specs.spec import Model

Outcome = Literal["holds", "fails", "cannot be told", "not tested here"]
Share = Annotated[float, Field(ge=0, le=1)]


class Finding(Model):
    """One comparison: what was found, in a line, and its evidence.

    effect: what the comparison is of, as the sentence names it (a difference in points, a ratio, a count of data sets);
    unit: of what it is, in a word or two. interval: 95 % of it. probability: of improvement, that a run of the one is
    above a run of the other, averaged over data sets. ranks: mean over data sets, 1 is best; two differ where they are
    apart by more than critical_difference. seeds: how many it rests on; needed: how many would settle it, where it
    cannot be told and that is known. runs: ids of all that it is from.
    """

    verdict: Outcome
    sentence: str
    artefact: str
    effect: float | None = None
    unit: str = ""
    interval: tuple[float, float] | None = None
    probability: Share | None = None
    ranks: dict[str, float] = {}
    critical_difference: float | None = None
    seeds: NonNegativeInt = 0
    needed: NonNegativeInt | None = None
    runs: tuple[str, ...] = ()


class Verdict(Finding):
    """A claim, with the evidence of the comparison that decides it: of those with its verdict the first.

    id: ``<paper>_<claim>``. reading: the place is not in the paper, or its words became a comparison by our reading,
    of which note says what is ours.
    parts: every comparison, in the order in which they are declared.
    """

    id: str
    paper: str
    words: str
    place: str
    reading: bool
    note: str | None = None
    parts: tuple[Finding, ...] = ()


class Tally(Model):
    """How many cells agree with printed numbers: within one deviation (ours over seeds, joined with a printed one as
    the root of the sum of squares), within two, beyond; unknown: neither has a deviation."""

    within: NonNegativeInt = 0
    near: NonNegativeInt = 0
    beyond: NonNegativeInt = 0
    unknown: NonNegativeInt = 0
    unpublished: NonNegativeInt = 0

    @property
    def published(self) -> int:
        return self.within + self.near + self.beyond + self.unknown

    def __str__(self) -> str:
        """``61 of 72 cells within one standard deviation``"""
        return f"{self.within} of {self.published} cells within one standard deviation"


class PaperVerdicts(Model):
    """compares: whether a verdict here is one of the paper; if not, every sentence says of which world it is.

    summary: what holds and how many numbers agree, in a line. total: over all tables, each printed number once.
    artefacts: the same by artefact. method: how verdicts are reached and what that assumes, a line each. made: what
    they were made from, by name.
    """

    paper: str
    title: str
    venue: str
    scale: str
    compares: bool
    summary: str
    claims: tuple[Verdict, ...]
    total: Tally
    artefacts: dict[str, Tally] = {}
    method: tuple[str, ...] = ()
    made: dict[str, str] = {}


def read_verdicts(path: Path) -> PaperVerdicts:
    """Raises UserError where the file is damaged."""
    return read_model(PaperVerdicts, path)
