"""Files that came without Snakemake's records of them."""

from pathlib import Path

from papertables.commands.unrecorded import unrecorded
from tests.unit.plans import plan_of


def test_files_without_a_record_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = plan_of()
    assert unrecorded(plan, ["attrvr_table1"]) is None
    files = [Path(plan.inputs.jobs("attrvr_table1")[0]), Path(plan.files(["attrvr_table1"])[0])]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    told = unrecorded(plan, ["attrvr_table1"])
    assert told.startswith(f"{files[0]} and 1 others are there without .snakemake/metadata/")
    assert unrecorded(plan, ["smm_table1"]) is None
