"""What a job of each rule is given.

The plan makes these records, the Snakefile lists their ``files`` as the rule's input, and the rule's script hands them
to the one function that does the work: so a rule and its script read the same files. Every path is a text, as Snakemake
knows it. What a ``Kept`` describes is no file of a rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from papertables.specs.config import OwnWeights
from papertables.specs.language_models import Kind, LanguageModel
from papertables.specs.manifests import check_split, read_manifest
from papertables.specs.spec import CacheKey, Numerics, RunSpec, SearchSpec, ShownPart, Target

Files = dict[str, str | list[str]]  # by the name of the input
Own = OwnWeights | None  # what a user says of the file of weights, where it is not the published one


@dataclass(frozen=True)
class Prepared:
    """A data set whose parts and contents are known."""

    split: str
    manifest: str

    @property
    def files(self) -> Files:
        return {"split": self.split, "manifest": self.manifest}

    @property
    def digest(self) -> str:
        """The digest of the data set's contents, read from its manifest."""
        return read_manifest(Path(self.manifest))["digest"]

    @property
    def checked_split(self) -> Path:
        """The split, of which the manifest has the checksum; raises UserError where it is another."""
        check_split(Path(self.split), Path(self.manifest))
        return Path(self.split)


@dataclass(frozen=True)
class Named:
    """Where the class names of a data set stand: in its split, and in every file of sentences that there may be."""

    split: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class AskingJob:
    """What a language model is asked about a data set. task: the word for what an image shows. answers: the folder of
    all answers of the source."""

    dataset: str
    task: str
    prepared: Prepared
    source: LanguageModel
    answers: str

    @property
    def files(self) -> Files:
        return self.prepared.files


@dataclass(frozen=True)
class DescribeJob(AskingJob):
    """For sentences of one kind about each class."""

    kind: Kind


@dataclass(frozen=True)
class BasesJob(AskingJob):
    """For attribute bases."""


@dataclass(frozen=True)
class Kept:
    """What a backbone says of something: no rule's file, the first job that reads it makes it. path: where it is kept.
    weights: of the backbone."""

    path: str
    backbone: str
    weights: str
    own_weights: Own


@dataclass(frozen=True)
class Frozen(Kept):
    """Of a data set. images: the cache of the test part as the backbone takes it. template: of the class prompts.
    source_labels: whether BLM's source prompts of a CLIP are wanted; ensemble: whether PromptSRC's mean over templates
    is."""

    prepared: Prepared
    images: str
    template: str
    source_labels: bool = False
    ensemble: bool = False

    @property
    def files(self) -> list[str]:
        return [*self.prepared.files.values(), self.images, self.weights]


@dataclass(frozen=True)
class Sentences(Kept):
    """Of one source's sentences for one data set. texts: the descriptive and the distinctive file."""

    texts: tuple[str, str]


@dataclass(frozen=True)
class TeacherFiles:
    """What a student's teacher is made from. run: the teacher. job: what its training job wrote. frozen: what its
    backbone says of their data set. search: the file of the search whose winner are its attributes, if it has one."""

    run: RunSpec
    job: str
    frozen: Frozen
    search: str | None = None

    @property
    def files(self) -> list[str]:
        return [self.job, *self.frozen.files, *([self.search] if self.search else [])]


@dataclass(frozen=True)
class Transfer:
    """What trained runs are scored on beside what is tested while they train.

    targets: by run id. frozen: of every data set but the job's own; images: of some of these, the cache of the test
    part, for runs that add tokens to images.
    """

    targets: Mapping[str, tuple[Target, ...]]
    frozen: Mapping[str, Frozen]
    images: Mapping[str, str]

    @property
    def files(self) -> list[str]:
        return [*(file for each in self.frozen.values() for file in each.files), *self.images.values()]


@dataclass(frozen=True)
class TrainJob:
    """Runs of one data set and backbone. sentences: by source. searches: by run id, the file of the search whose winner
    are its attributes. numerics: how exact tests and mapping passes have to be. tests: by run id, the epochs between
    those that are wanted. teachers: by run id of a student."""

    runs: tuple[RunSpec, ...]
    frozen: Frozen
    caches: Mapping[CacheKey, str]
    sentences: Mapping[str, Sentences]
    searches: Mapping[str, str]
    transfer: Transfer
    numerics: Numerics = "published"
    tests: Mapping[str, int] = field(default_factory=dict)
    teachers: Mapping[str, TeacherFiles] = field(default_factory=dict)

    def every(self, run: str) -> int:
        """Epochs between a run's tests, as ``tested`` takes it."""
        return self.tests.get(run, 1)

    @property
    def dataset(self) -> str:
        return self.runs[0].dataset

    @property
    def backbone(self) -> str:
        return self.runs[0].backbone

    @property
    def files(self) -> Files:
        return {
            "frozen": self.frozen.files,
            "caches": list(self.caches.values()),
            "sentences": [file for each in self.sentences.values() for file in each.texts],
            "searches": list(dict.fromkeys(self.searches.values())),
            "transfer": self.transfer.files,
            "teachers": list(dict.fromkeys(file for each in self.teachers.values() for file in each.files)),
        }

    @property
    def kept(self) -> list[Kept]:
        """What backbones say that it reads."""
        teachers = (each.frozen for each in self.teachers.values())
        return [self.frozen, *self.transfer.frozen.values(), *self.sentences.values(), *teachers]


@dataclass(frozen=True)
class Training:
    """What all training jobs share. store: the folder of runs. retrain: a pattern over ids of runs to train anew."""

    store: str
    checkpoints: str
    device: str = "cpu"
    retrain: str | None = None
    checkpoint_seconds: float = 5.0


@dataclass(frozen=True)
class SearchJob:
    """train and val: the caches of images that a search trains and validates on. bases: the file of those that a
    language model named, where the search's own are not known yet."""

    search: SearchSpec
    prepared: Prepared
    weights: str
    train: str
    val: str
    own_weights: Own = None
    bases: str | None = None

    @property
    def files(self) -> Files:
        own = {"weights": self.weights, "train": self.train, "val": self.val}
        return self.prepared.files | own | ({"bases": self.bases} if self.bases else {})


@dataclass(frozen=True)
class InspectJob:
    """A finished run to look at. job: what its training job wrote. part: whether test images are shown or a sample of
    those that it trained on. plain and own: the caches of these images, as the backbone takes them and as the run does.
    sentences: of a run that reads any."""

    run: RunSpec
    job: str
    frozen: Frozen
    part: ShownPart
    plain: str
    own: str
    sentences: Sentences | None = None

    @property
    def files(self) -> Files:
        sentences = [*self.sentences.texts] if self.sentences else []
        own = {"job": self.job, "plain": self.plain, "own": self.own}
        return {"frozen": self.frozen.files, "sentences": sentences} | own


@dataclass(frozen=True)
class ArtefactFiles:
    """What an artefact shows. jobs: what its training jobs wrote, nothing where it is made of what is there. published:
    the folder of published numbers, and the files that it is compared with. searches: results of attribute searches.
    inspections: by run id. store: the folder of runs. manifests: of the data sets that its runs see, by name. training:
    where an artefact is made of what is there, the jobs that would make its runs, to know those that are up to date.
    sentences: by source and data set, the files that it is about."""

    jobs: tuple[str, ...]
    published_folder: str
    published: tuple[str, ...]
    searches: tuple[str, ...]
    inspections: Mapping[str, str]
    store: str
    manifests: Mapping[str, str]
    training: tuple[TrainJob, ...] = ()
    sentences: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    @property
    def files(self) -> Files:
        own = {"jobs": self.jobs, "published": self.published, "searches": self.searches}
        own["sentences"] = [file for files in self.sentences.values() for file in files]
        own["manifests"] = self.manifests.values() if self.jobs or self.searches else ()  # else of what is there
        return {name: list(files) for name, files in own.items()} | {"inspections": list(self.inspections.values())}
