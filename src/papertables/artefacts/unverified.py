"""What stands under a table where no checksum vouches for images or weights that its numbers come from."""

from collections.abc import Mapping
from pathlib import Path

from papertables.backbones.catalog import backbone
from papertables.data.catalog import dataset
from papertables.data.splits import SUBSET
from papertables.planning.cells import PlannedArtefact
from papertables.specs.manifests import read_manifest


def unverified_notes(planned: PlannedArtefact, manifests: Mapping[str, str]) -> tuple[str, ...]:
    """A line for the images and one for the published weights, where there are such. manifests: their files, by data
    set. A subset that the user took is said by itself."""
    images, weights = [], []
    for name, path in manifests.items():
        sources = read_manifest(Path(path)).get("unverified", []) if Path(path).exists() else []
        if sources and sources != [SUBSET]:
            images.append(f"{dataset(name).label} ({', '.join(sources)})")
    for entry in [backbone(name) for name in sorted({run.backbone for run in planned.runs})]:
        if entry.unchecked and entry.id not in planned.scope.config.weights:
            weights.append(f"{entry.label} ({entry.unchecked})")
    told = {"images": images, "weights": weights}
    return tuple(f"No checksum vouches for the {what} of {', '.join(which)}." for what, which in told.items() if which)
