"""What stands under a table where no checksum vouches for images or weights that its numbers come from, or where a
published split is not there."""

from collections.abc import Mapping
from pathlib import Path

from papertables.backbones.catalog import backbone
from papertables.data.catalog import dataset
from papertables.data.splits import SUBSET
from papertables.planning.planned import PlannedArtefact
from papertables.specs.manifests import read_manifest


def unverified_notes(planned: PlannedArtefact, manifests: Mapping[str, str]) -> tuple[str, ...]:
    """A line for the images and one for the published weights, where there are such, and one for each set that is cut
    here. manifests: their files, by data set. A subset that the user took is said by itself."""
    images, weights, cut = [], [], []
    for name, path in manifests.items():
        manifest, entry = read_manifest(Path(path)) if Path(path).exists() else {}, dataset(name)
        sources = manifest.get("unverified", [])
        if sources and sources != [SUBSET]:
            images.append(f"{entry.label} ({', '.join(sources)})")
        published = entry.split and entry.split.use_if_present
        if published and manifest.get("made_by") not in (None, SUBSET, published):
            made = f"a cut of ours ({manifest['made_by']})"
            cut.append(f"{entry.label} has {made}: the published split, {published}, was not in the data folder.")
    for entry in [backbone(name) for name in sorted({run.backbone for run in planned.runs})]:
        if entry.unchecked and entry.id not in planned.scope.config.weights:
            weights.append(f"{entry.label} ({entry.unchecked})")
    told = {"images": images, "weights": weights}
    unknown = [f"No checksum vouches for the {what} of {', '.join(which)}." for what, which in told.items() if which]
    return (*unknown, *cut)
