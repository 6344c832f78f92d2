"""What is taken from open_clip, imported without transformers.

open_clip imports transformers where it is installed, for towers of text that no backbone here has; that would cost
every job most of a second. peft, which needs it, imports it later.
"""

import sys

KEY = "transformers"
known = sys.modules.setdefault(KEY, None)  # an import finds nothing under this name, unless it was there before
try:
    from open_clip import OPENAI_IMAGENET_TEMPLATES, create_model, list_models
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg, build_model_from_openai_state_dict
    from open_clip.tokenizer import SimpleTokenizer
    from open_clip.transformer import QuickGELU, ResidualAttentionBlock, VisionTransformer
finally:
    if known is None:
        del sys.modules[KEY]

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
