"""Figures are drawn as those of a scale are."""

import pytest

from papertables.artefacts.figures import style


@pytest.fixture(autouse=True)
def looks_like_ours():
    with style.style():
        yield
