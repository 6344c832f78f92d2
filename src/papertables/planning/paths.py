"""Where everything lies; the only module that knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from papertables.attributes.catalog import attribute_source, language_models
from papertables.backbones.catalog import backbone
from papertables.base.code import FOLDER
from papertables.data.own import own_datasets
from papertables.specs.artefact import Artefact
from papertables.specs.config import OwnWeights, Selection
from papertables.specs.language_models import Kind
from papertables.specs.spec import SHOWN_CACHES, CacheKey, SearchSpec, ShownPart

SHIPPED_WEIGHTS = FOLDER / "backbones" / "weights"


class Place(NamedTuple):
    """A file by a name that stays when the project or its data folder moves, and whether it is committed."""

    name: str
    committed: bool


@dataclass(frozen=True)
class Paths:
    """What is made lies below the working folder; what is committed below ``root``."""

    root: Path
    scale: str
    data_root: str
    own_weights: Mapping[str, OwnWeights] = field(default_factory=dict)

    def place(self, path: str) -> Place:
        for folder, name in self._ours:
            if path.startswith(folder):
                return Place(name + path.removeprefix(folder), committed=True)
        return Place(path.removeprefix(f"{self.data_root}/"), committed=False)

    @cached_property
    def _ours(self) -> list[tuple[str, str]]:
        """The folders of what is committed, and what they are called."""
        folders = FOLDER, self.root / "attributes", self.root / "workflow"
        return [(f"{folder.as_posix()}/", f"{folder.name}/") for folder in folders]

    @property
    def results(self) -> str:
        return f"results/{self.scale}"

    @property
    def runs(self) -> str:
        return f"{self.results}/runs"

    @property
    def imported(self) -> str:
        """The folder of scores of checkpoints from elsewhere."""
        return f"{self.results}/imported"

    @property
    def checkpoints(self) -> str:
        return f"{self.results}/checkpoints"

    @property
    def runs_csv(self) -> str:
        return f"{self.results}/runs.csv"

    @property
    def index(self) -> str:
        return f"{self.results}/index.html"

    @property
    def pages(self) -> str:
        """The folder of what the index leads to."""
        return f"{self.results}/pages"

    @property
    def document(self) -> str:
        """Everything on one page."""
        return f"{self.results}/document.html"

    @property
    def pdf(self) -> str:
        return f"{self.results}/document.pdf"

    def job(self, job: str) -> str:
        return f"{self.results}/jobs/{job}.jsonl"

    def raw(self, dataset: str) -> str:
        """Where its images are, as they came."""
        own = own_datasets().get(dataset)
        return own.images if own else f"{self.data_root}/{dataset}"

    def split(self, dataset: str) -> str:
        return f"{self.results}/data/{dataset}/split.json"

    def manifest(self, dataset: str) -> str:
        return f"{self.results}/data/{dataset}/manifest.json"

    def cache(self, dataset: str, part: str, fit: str, size: int | str) -> str:
        return f"{self.results}/cache/{dataset}/{part}-{fit}-{size}.safetensors"

    def plain_cache(self, dataset: str, backbone_id: str, part: ShownPart = "test") -> str:
        """The test images, or some training images, as the backbone itself takes them."""
        entry = backbone(backbone_id)
        return self.cache(dataset, *CacheKey(SHOWN_CACHES[part], entry.fit, entry.image_size))

    def frozen_features(self, dataset: str, backbone: str) -> str:
        return f"{self.results}/frozen_features/{dataset}/{backbone}.safetensors"

    def sentence_features(self, dataset: str, backbone: str, source: str) -> str:
        return f"{self.results}/sentence_features/{dataset}/{backbone}/{source}.safetensors"

    def weights(self, name: str) -> str:
        entry = backbone(name)
        if name in self.own_weights:
            return self.own_weights[name].path
        if entry.shipped:
            return str(SHIPPED_WEIGHTS / entry.file)
        return f"{self.data_root}/weights/{entry.file}"

    def search(self, search: SearchSpec) -> str:
        return self.search_result(search.dataset, search.backbone, search.id)

    def search_result(self, dataset: str, backbone: str, search: str) -> str:
        return f"{self.results}/searches/{dataset}/{backbone}/{search}.json"

    def sentences(self, source: str, dataset: str) -> tuple[str, str]:
        """The descriptive and the distinctive sentences: committed, fetched below the data folder, or answered by a
        language model."""
        if source in language_models():
            return tuple(self.answered(source, dataset, kind) for kind in get_args(Kind))
        folder = self.committed if attribute_source(source).committed else f"{self.data_root}/attributes"
        return tuple(f"{folder}/{source}/{dataset}_{kind}.json" for kind in get_args(Kind))

    @property
    def committed(self) -> Path:
        """Attributes that come with the project, input to every rule and output of none."""
        return self.root / "attributes"

    def asked(self, source: str) -> str:
        """What a language model answered, for all scales."""
        return f"results/attributes/{source}"

    def answers(self, source: str) -> str:
        return f"{self.asked(source)}/answers"

    def answered(self, source: str, dataset: str, kind: Kind | Literal["bases"]) -> str:
        """What was made of a language model's answers: adopted into the project, or below the results."""
        name = f"{dataset}_{kind}.json"
        adopted = self.committed / source / name
        return str(adopted) if adopted.exists() else f"{self.asked(source)}/{name}"

    def written(self, source: str, name: str) -> str:
        """Where a user writes a file of sentences, as seen from the project."""
        return f"{self.committed.name}/{source}/{name}"

    def published(self, paper: str) -> str:
        """The folder of the paper's published numbers."""
        return str(self.root / "workflow" / "papers" / paper / "published")

    def artefact(self, artefact: Artefact) -> str:
        """Without its suffix."""
        name = artefact.id.removeprefix(f"{artefact.paper}_")
        return f"{self.results}/{artefact.kind}s/{artefact.paper}/{name}"

    def verdicts(self, paper: str) -> str:
        """On the claims of a paper, without its suffix."""
        return f"{self.results}/verdicts/{paper}"

    def broken(self, artefact: str) -> str:
        """What an artefact that cannot be planned stands for: nothing makes it."""
        return f"{self.results}/broken/{artefact}"

    def pretrained(self, backbone: str) -> str:
        """A tiny backbone that is pretrained anew, without its suffix."""
        return f"{self.results}/pretrained/{backbone}"

    def inspection(self, run: str, selection: Selection, part: ShownPart) -> str:
        """What a run makes of the test images, or of some training images."""
        return f"{self.results}/inspections/{part}/{selection}/{run}.safetensors"
