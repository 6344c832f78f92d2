"""What LoRA's options must fulfil, known without torch."""

from papertables.errors import UserError

KINDS = ("timm",)  # of backbones whose image model can be adapted


def check_lora_options(kind: str, rank: int) -> None:
    """Raises UserError for a backbone of another ``kind`` and for a rank that is no whole number above 0."""
    if kind not in KINDS:
        raise UserError(f"LoRA does not adapt a backbone of kind {kind}: take a ViT of kind {', '.join(KINDS)}")
    if rank != int(rank) or rank < 1:
        raise UserError(f"option rank is {rank}: it must be a whole number of at least 1")
