"""ImageNet's classes, as CLIP names them: so they stand in the prompts of CoOp, ATPrompt and AttrVR. And the classes of
its validation images, which are published in one folder."""

import os
import tarfile
from io import BytesIO
from pathlib import Path

from papertables.base.errors import UserError

DEVKIT = "ILSVRC2012_devkit_t12/data"  # in the archive of that name


def imagenet_classes() -> dict[str, str]:
    """The name of each class by its identifier (n01440764), in the order of the identifiers, which is that of the
    labels. Of the 1,000 names 998 differ: two classes are a missile and two are sunglasses."""
    from open_clip import IMAGENET_CLASSNAMES  # these two are slow to import, and a plan is made without them
    from timm.data import ImageNetInfo

    return dict(zip(ImageNetInfo().label_names(), IMAGENET_CLASSNAMES, strict=True))


def lacks_classes(folder: Path) -> bool:
    """Whether images lie in a folder that has no folders of classes."""
    with os.scandir(folder) as entries:
        kinds = {entry.is_dir() for entry in entries if not entry.name.startswith(".")}
    return kinds == {False}


def validation_classes(devkit: Path) -> list[str]:
    """The identifier of the class of each validation image, in the order of their numbers, which begin at 1."""
    from scipy.io import loadmat

    try:
        with tarfile.open(devkit) as archive:
            truth, meta = (
                archive.extractfile(f"{DEVKIT}/{name}").read()
                for name in ("ILSVRC2012_validation_ground_truth.txt", "meta.mat")
            )
        synsets = loadmat(BytesIO(meta), squeeze_me=True)["synsets"]
        known = dict(zip(synsets["ILSVRC2012_ID"].tolist(), synsets["WNID"].tolist(), strict=True))
        return [known[int(number)] for number in truth.split()]
    except (OSError, tarfile.TarError, KeyError, ValueError, EOFError):
        raise UserError(f"{devkit} is no devkit of ILSVRC 2012, or it is truncated: delete it and run again") from None
