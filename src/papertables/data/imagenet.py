"""ImageNet's classes, as CLIP names them: so they stand in the prompts of CoOp, ATPrompt and AttrVR."""


def imagenet_classes() -> dict[str, str]:
    """The name of each class by its identifier (n01440764), in the order of the identifiers, which is that of the
    labels. Of the 1,000 names 998 differ: two classes are a missile and two are sunglasses."""
    from open_clip import IMAGENET_CLASSNAMES  # these two are slow to import, and a plan is made without them
    from timm.data import ImageNetInfo

    return dict(zip(ImageNetInfo().label_names(), IMAGENET_CLASSNAMES, strict=True))
