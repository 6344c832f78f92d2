"""The choices of learned prompts by name, known without torch."""

from typing import Literal

AttributeTokens = Literal["first", "all"]
ClassPosition = Literal["end", "middle", "front"]
Anchors = Literal["interval", "front", "middle", "end", "separate"]
DeepAttributes = Literal["keep", "drop_soft", "drop_all"]
Probe = Literal["linear", "similarity"]
PromptKind = Literal["coop", "cocoop"]
