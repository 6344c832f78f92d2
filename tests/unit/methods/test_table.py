import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from papertables.base import code as fingerprinted
from papertables.base.errors import UserError
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.table import METHODS, build, check_code, method_code
from papertables.training.run import trained_values
from tests.unit.plans import plan_of


@pytest.mark.slow
def test_planning_and_asking_the_store_need_no_torch():
    code = "import papertables.methods.table, papertables.results.store, papertables.training.job\n"
    code += "import papertables.data.cache, sys\n"
    code += "papertables.methods.table.method_code('attrvr')\n"
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of the methods' files that may be changed."""
    left_out = shutil.ignore_patterns("weights", "__pycache__")
    shutil.copytree(fingerprinted.FOLDER, tmp_path / "papertables", ignore=left_out)
    monkeypatch.setattr(fingerprinted, "FOLDER", tmp_path / "papertables")
    method_code.cache_clear()
    yield tmp_path / "papertables" / "methods"
    method_code.cache_clear()


def codes() -> dict[str, str]:
    method_code.cache_clear()
    return {name: method_code(name) for name in METHODS}


@pytest.mark.slow
def test_comments_docstrings_and_formatting_change_no_code(sources):
    before = codes()
    path = sources / "pixels.py"
    text = path.read_text().replace('"""Normalised images."""', '"""Other words."""')
    path.write_text("# a comment\n" + text.replace("padded = F.pad(", "padded = F.pad(\n            "))
    assert codes() == before


@pytest.mark.slow
def test_a_changed_file_changes_the_methods_that_import_it(sources):
    def changed(file: str, old: str, new: str) -> set[str]:
        before = codes()
        text = (sources / file).read_text()
        assert old in text
        (sources / file).write_text(text.replace(old, new))
        after = codes()
        return {name for name in METHODS if before[name] != after[name]}

    assert changed("vp.py", "Watermark(given, pad)", "Watermark(given, pad + 0)") == {"vp"}
    assert changed("heads.py", "(1 - self.lam)", "(1.0 - self.lam)") == {"zero_shot", "attr_zs", "vp", "ar", "attrvr"}
    assert changed("mappings.py", "max(1, int", "max(2, int") == {name for name in METHODS if METHODS[name].maps_labels}
    assert changed("inputs.py", "mean: tuple", "average: tuple") == set(METHODS)
    assert changed("learner.py", "logits, labels), logits", "logits, labels), logits + 0") == set(METHODS)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (None, r"tint\.py: there is no such file: write it, with a class Learner \(docs/adding\.md\)"),
        ("class Lerner: pass\n", r"tint\.py: it has no class Learner: write one \(docs/adding\.md\)"),
        ("class Learner(:\n", r"tint\.py: not valid Python \(line 1: "),
        ("from papertables.methods import hue\nclass Learner: pass\n", r"hue\.py: not valid Python \(line 1: "),
    ],
)
def test_a_method_without_readable_code_is_told_and_not_imported(sources, code, says):
    (sources / "hue.py").write_text("class:\n")
    if code:
        (sources / "tint.py").write_text(code)
    with pytest.raises(UserError, match=says):
        check_code("tint")


def test_code_is_looked_at_when_an_artefact_is_planned():
    (run, *_) = plan_of().artefacts["attrvr_table1"].runs
    with pytest.raises(UserError, match=r"tint\.py: there is no such file"):
        replace(METHODS[run.method], module="tint").check(run)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_what_its_learner_defines(name):
    method = METHODS[name]
    own = import_module(f"{BaseLearner.__module__.rpartition('.')[0]}.{method.module}").Learner

    def defines(function: str) -> bool:
        return getattr(own, function) is not getattr(BaseLearner, function)

    assert issubclass(own, BaseLearner)
    assert defines("prompts") == method.learns_prompts
    assert defines("classify") == (method.learns_prompts or method.distils)
    assert defines("guide") == (method.stays_near or method.distils)
    assert defines("image_prompts") == method.prompts_images
    assert defines("features") == method.adapts_tower
    assert own.leaves_images == (method.leaves_images and method.trains)


def context(size: int = 224) -> MethodInputs:
    features = {name: torch.randn(4, 3, 8) for name in ("descriptive", "distinctive")}
    return MethodInputs(size, (0, 0, 0), (1, 1, 1), torch.tensor(4.0), classes=torch.randn(4, 8), **features)


@pytest.mark.parametrize(("method", "values"), [("vp", 69840), ("ar", 39936), ("attrvr", 39936), ("attr_zs", 0)])
def test_trained_values_are_those_of_the_paper(method, values):
    assert trained_values(build(method, METHODS[method].options, context())) == values


def test_one_kind_of_sentences_alone():
    """The ablations: λ = 1 uses the descriptive sentences alone, k = m every sentence."""
    given, features = context(), torch.randn(5, 8)
    only = build("attr_zs", {"k": 3, "lam": 1.0, "m": 3}, given).logits(features)
    unit = features / features.norm(dim=1, keepdim=True)
    mean = given.logit_scale.exp() * unit @ given.descriptive.mean(1).T  # (5, C)
    torch.testing.assert_close(only, mean)
