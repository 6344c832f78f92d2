"""What a person can get wrong in a declaration ends in one line that names the mend."""

import shutil
from pathlib import Path

import pytest
import yaml

from papertables.base.errors import UserError
from papertables.planning.plan import make_plan
from papertables.specs.config import Config

REPOSITORY = Path(__file__).parents[3]
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())


def plan(root=REPOSITORY, **config):
    return make_plan(root, CONFIG | config)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(REPOSITORY / "workflow", tmp_path / "workflow")
    shutil.copytree(REPOSITORY / "attributes", tmp_path / "attributes")
    return tmp_path


def edit(path: Path, **values):
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"scael": "mini"}, "unknown key 'scael' (did you mean 'scale'?): choose from scale"),
        ({"scale": "minni"}, "unknown scale 'minni' (did you mean 'mini'?): choose from mini, paper"),
        ({"scale": "Paper"}, "unknown scale 'Paper' (did you mean 'paper'?)"),
        ({"scale": None}, "scale has no value: it must be a text"),
        ({"artefacts": ["attrvr_tabel1"]}, "unknown artefact 'attrvr_tabel1' (did you mean 'attrvr_table1'?)"),
        ({"artefacts": "nonexistent"}, "unknown artefact 'nonexistent' (did you mean '"),
        ({"artefacts": None}, "artefacts has no value: it must be a list, such as [attrvr, blm_padding]"),
        ({"artefacts": []}, "artefacts is empty: name at least one"),
        ({"artefacts": [1]}, "artefacts.0 is 1: it must be a text"),
        ({"seeds": "one"}, "seeds is 'one': it must be a list, such as [1, 2, 3]"),
        ({"seeds": 1}, "seeds is 1: it must be a list, such as [1, 2, 3]"),
        ({"seeds": []}, "seeds is empty: name at least one"),
        ({"seeds": ["1", "1"]}, "seeds: each may be named once"),
        ({"seeds": [-1]}, "seeds.0 must be at least 0, not -1"),
        ({"seeds": [1.5]}, "seeds.0 is 1.5: it must be a whole number"),
        ({"selection": "worst"}, "selection: unknown value 'worst' (did you mean 'last'?): choose from best, last"),
        (
            {"attributes": "searched"},
            "'attributes' is called anchors now: write anchors: published, or anchors: s",
        ),
        ({"anchors": "found"}, "anchors: unknown value 'found' (did you mean 'published'?)"),
        ({"sentences": "gpt5"}, "sentences: unknown source 'gpt5' (did you mean 'gpt3'?)"),
        ({"bases": "gpt3"}, "bases: unknown source 'gpt3' (did you mean"),
        ({"llm": {"model": "x"}}, "llm: nothing is asked of a language model: set sentences or bases to own"),
        ({"sentences": "own", "llm": {"modle": "x"}}, "llm: unknown key 'modle' (did you mean 'model'?)"),
        ({"sentences": "own", "llm": {"sentences": {"m": 3}}}, "llm: unknown key 'sentences.m'"),
        ({"sentences": "own", "llm": {"at_least": 30}}, "llm: at_least is 30, but sentences.n is 25: ask for more"),
        ({"sentences": "own", "llm": {"max_cost": 2}}, "llm: max_cost needs price"),
        ({"sentences": "own", "llm": {"prompts": {"des": "a {clas}"}}}, "llm: prompts: prompts.des: unknown name in"),
        ({"source": "gpt3"}, "source: unknown source 'gpt3'"),
        ({"fidelity": "fixed"}, "fidelity: unknown value 'fixed' (did you mean 'repaired'?)"),
        ({"data_root": ""}, "data_root is '': it must be a text that is not empty"),
        ({"data_root": None}, "data_root has no value: it must be a text"),
        ({"shared_data": [""]}, "shared_data.0 is '': it must be a text that is not empty"),
        ({"downloads": "sometimes"}, "downloads is 'sometimes': it must be true or false"),
        ({"mirrors": "http://lab/"}, "mirrors is 'http://lab/': it must be keys with values, such as {"),
        ({"mirrors": {"https://": "lab"}}, "mirrors.https://: it must begin with http://, https:// or file://"),
        ({"download_patience": -1}, "download_patience must be at least 0, not -1"),
        (
            {"weights": "mine.pth"},
            'weights is \'mine.pth\': it must be keys with values, such as {"resnet18": "mine.pth"}',
        ),
        ({"weights": {"resnet81": "mine.pth"}}, "weights: unknown backbone 'resnet81' (did you mean 'resnet18'?)"),
        ({"device": "tpu"}, "device: unknown value 'tpu' (did you mean 'cpu'?): choose from cpu, cuda, auto"),
        ({"runs_per_job": 0}, "runs_per_job must be at least 1, not 0"),
        ({"choices": {"recipes": "origin"}}, "choices: unknown choice 'recipes' (did you mean 'recipe'?)"),
        ({"choices": {"recipe": "vanila"}}, "choices: recipe: unknown value 'vanila' (did you mean 'vanilla'?)"),
        ({"choices": "vanilla"}, "choices is 'vanilla': it must be keys with values"),
        ({"runs_per_job": "many"}, "runs_per_job is 'many': it must be a whole number"),
        ({"max_job_hours": 0}, "max_job_hours must be more than 0, not 0"),
        ({"numerics": "quick"}, "numerics: unknown value 'quick' (did you mean 'published'?): choose"),
        ({"gpu": "H1000"}, "gpu: unknown value 'H1000' (did you mean 'H100'?): choose from A100"),
        ({"retrain": 7}, "retrain is 7: it must be a text"),
        ({"retrain": "nothing/*"}, "retrain: 'nothing/*' matches no run; run ids look like '"),
        ({"checkpoint_seconds": -1}, "checkpoint_seconds must be at least 0, not -1"),
        ({"checkpoint_seconds": "nan"}, "checkpoint_seconds is 'nan': it must be a finite number"),
        ({"cache_dir": 3}, "cache_dir is 3: it must be a text"),
        ({"pretrain_steps": 0.5}, "pretrain_steps is 0.5: it must be a whole number"),
        ({"trial": "coop"}, "trial is 'coop': it must be keys with values"),
        ({"partial": "maybe"}, "partial is 'maybe': it must be true or false"),
    ],
)
def test_config(config, says):
    with pytest.raises(UserError) as error:
        plan(**config)
    assert f"config: {says}" in str(error.value)
    assert "\n" not in str(error.value)


def test_null_is_no_text():
    """As Snakemake's command line would have it."""
    unset = Config(seeds="null", selection="null", downloads="null", retrain="null")
    assert unset == Config()


def test_every_key_of_the_configuration_is_tried():
    (cases,) = (mark.args[1] for mark in test_config.pytestmark if mark.name == "parametrize")
    tried = {key for config, _ in cases for key in config}
    assert set(Config.model_fields) <= tried


@pytest.mark.slow
def test_names_may_stand_in_one_text():
    assert plan(artefacts="attrvr_table1, blm_padding").selected == ["attrvr_table1", "blm_padding"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"rows": {"vary": "method", "values": ["attrvrr"]}},
            "unknown method 'attrvrr' (did you mean 'attrvr'?)",
        ),
        ({"columns": {"vary": "dataset", "values": ["eurosatt"]}}, "unknown dataset 'eurosatt'"),
        ({"fixed": {"backbone": "clip_vit_b17"}}, "unknown backbone 'clip_vit_b17'"),
        (
            {"fixed": {"backbone": "clip_vit_b16", "shot": 2}},
            "unknown setting 'shot' (did you mean 'shots'?)",
        ),
        ({"fixed": {"backbone": "clip_vit_b16", "options.q": 2}}, "unknown option 'q'"),
        ({"fixed": {"backbone": "clip_vit_b16", "training.epoch": 2}}, "unknown key 'epoch'"),
        ({"fixed": {}}, "table1.yaml: attrvr_table1: no backbone given"),
        ({"colums": {}}, "unknown key 'colums' (did you mean 'columns'?)"),
        ({"rows": {"vary": "method", "vlaues": ["vp"]}}, "unknown key 'rows.vlaues' (did you mean '"),
    ],
)
def test_artefact(copy, change, says):
    edit(copy / "workflow" / "papers" / "attrvr" / "table1.yaml", **change)
    with pytest.raises(UserError) as error:
        plan(copy, artefacts=["attrvr_table1"])
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_invalid_yaml(copy):
    (copy / "workflow" / "papers" / "attrvr" / "table1.yaml").write_text("rows: [")
    with pytest.raises(UserError, match="not valid YAML"):
        plan(copy, artefacts=["attrvr_table1"])


@pytest.mark.slow
def test_shots_larger_than_a_class(copy):
    edit(copy / "workflow" / "scales" / "mini.yaml", shots=5000)
    with pytest.raises(UserError, match="5000 shots"):
        plan(copy, artefacts=["attrvr_table1"])
    assert "blm_padding" in plan(copy).selected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"when": {"dataset": ["oxford_pet"]}, "set": {"options.inner": 32}}, "dataset 'oxford_pet'.*oxford_pets"),
        ({"when": {"method": ["smn"]}, "set": {"training.batch_size": 64}}, "method 'smn'.*smm"),
        ({"when": {}, "set": {"options.iner": 32}}, "setting 'options.iner'.*options.inner"),
        ({"when": {}, "set": {"option.inner": 32}}, "setting 'option.inner'.*options.inner"),
        ({"when": {}, "set": {"dataset": "gtsrb_finale"}}, "dataset 'gtsrb_finale'.*gtsrb_final"),
    ],
)
def test_a_slip_in_an_adjustment_is_an_error(tmp_path, changes, message):
    root = tmp_path / "project"
    shutil.copytree(REPOSITORY / "workflow", root / "workflow")
    shutil.copytree(REPOSITORY / "attributes", root / "attributes")
    path = root / "workflow" / "papers" / "smm" / "protocol.yaml"
    declared = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(declared | {"adjust": [*declared["adjust"], changes]}))
    with pytest.raises(UserError, match=f"smm/protocol.yaml: adjust: unknown {message}"):
        plan(root)
