"""What a person can get wrong in a declaration ends in one line that names the mend."""

import shutil
from pathlib import Path

import pytest
import yaml

from papertables.errors import UserError
from papertables.plan import make_plan

REPOSITORY = Path(__file__).parents[2]
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())


def plan(root=REPOSITORY, **config):
    return make_plan(root, CONFIG | config)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(REPOSITORY / "workflow", tmp_path / "workflow")
    return tmp_path


def edit(path: Path, **values):
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"scael": "mini"}, "config: unknown key 'scael'; known keys: scale"),
        ({"scale": "minni"}, "unknown scale 'minni' (did you mean 'mini'?)"),
        (
            {"artefacts": ["attrvr_tabel1"]},
            "unknown artefact 'attrvr_tabel1' (did you mean 'attrvr_table1'?)",
        ),
        ({"device": "tpu"}, "config: device: Input should be 'cpu', 'cuda' or 'auto'"),
        ({"selection": "worst"}, "config: selection: Input should be 'best' or 'last'"),
        ({"seeds": "one"}, "config: seeds"),
        ({"runs_per_job": 0}, "config: runs_per_job: Input should be greater than or equal to 1"),
    ],
)
def test_config(config, says):
    with pytest.raises(UserError) as error:
        plan(**config)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


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
        ({"fixed": {}}, "attrvr_table1: no backbone given"),
        ({"colums": {}}, "unknown key 'colums'"),
    ],
)
def test_artefact(copy, change, says):
    edit(copy / "workflow" / "papers" / "attrvr" / "table1.yaml", **change)
    with pytest.raises(UserError) as error:
        plan(copy)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_invalid_yaml(copy):
    (copy / "workflow" / "papers" / "attrvr" / "table1.yaml").write_text("rows: [")
    with pytest.raises(UserError, match="not valid YAML"):
        plan(copy)


def test_shots_larger_than_a_class(copy):
    edit(copy / "workflow" / "scales" / "mini.yaml", shots=5000)
    with pytest.raises(UserError, match="5000 shots"):
        plan(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"when": {"dataset": ["oxford_pet"]}, "set": {"options.inner": 32}}, "dataset 'oxford_pet'.*oxford_pets"),
        ({"when": {"method": ["smn"]}, "set": {"training.batch_size": 64}}, "method 'smn'.*smm"),
        ({"when": {}, "set": {"options.iner": 32}}, "setting 'options.iner'.*options.inner"),
        ({"when": {}, "set": {"option.inner": 32}}, "setting 'option.inner'.*options.inner"),
    ],
)
def test_a_slip_in_an_adjustment_is_an_error(tmp_path, changes, message):
    root = tmp_path / "project"
    shutil.copytree(REPOSITORY / "workflow", root / "workflow")
    path = root / "workflow" / "papers" / "smm" / "protocol.yaml"
    declared = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(declared | {"adjust": [*declared["adjust"], changes]}))
    with pytest.raises(UserError, match=f"smm/protocol.yaml: adjust: unknown {message}"):
        plan(root)
