"""What the released trainers of CoOp, CoCoOp, MaPLe, DePT and ATPrompt call the parameters that ours have."""

import re

METHODS = ("coop", "cocoop", "maple", "dept")
OURS = {  # by theirs, a pattern
    r"prompt_learner\.ctx$": "prompting.context",
    r"prompt_learner\.ctx_att(\d)$": r"prompting.attribute\1",
    r"prompt_learner\.meta_net\.linear1\.": "shift.0.",
    r"prompt_learner\.meta_net\.linear2\.": "shift.2.",
    r"prompt_learner\.proj\.": "project.",
    r"prompt_learner\.compound_prompts_text\.(\d+)$": r"deep_vectors.\1.context",
    r"prompt_learner\.compound_prompt_projections\.(\d+)\.": r"deep_projects.\1.",
    r"film_lp_img\.": "image_film.",
    r"film_lp_text\.": "text_film.",
    r"linear_probe_proj\.": "probe.",
}


def our_name(name: str) -> str | None:
    """Of one of their parameters; None where ours have no such."""
    for theirs, ours in OURS.items():
        if re.match(theirs, name):
            return re.sub(theirs, ours, name)
    return None
