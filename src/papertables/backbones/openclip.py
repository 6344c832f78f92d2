"""What is taken from open_clip, imported without transformers and timm.

open_clip imports both where they are installed, for towers that no backbone here has; that would cost every job more
than a second. Who needs one of them imports it later.
"""

import sys

NEEDLESS = ("transformers", "timm")
known = {name: sys.modules.setdefault(name, None) for name in NEEDLESS}  # an import finds nothing under such a name
try:
    from open_clip import OPENAI_IMAGENET_TEMPLATES, create_model, list_models
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg, build_model_from_openai_state_dict
    from open_clip.tokenizer import SimpleTokenizer
    from open_clip.transformer import QuickGELU, ResidualAttentionBlock, VisionTransformer
finally:
    for name, module in known.items():
        if module is None:  # or it was there before
            del sys.modules[name]

__all__ = [
    "CLIP",
    "OPENAI_DATASET_MEAN",
    "OPENAI_DATASET_STD",
    "OPENAI_IMAGENET_TEMPLATES",
    "CLIPTextCfg",
    "CLIPVisionCfg",
    "QuickGELU",
    "ResidualAttentionBlock",
    "SimpleTokenizer",
    "VisionTransformer",
    "build_model_from_openai_state_dict",
    "create_model",
    "list_models",
]
