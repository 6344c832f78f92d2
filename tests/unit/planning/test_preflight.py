"""What is told before the first job: folders that cannot be, files that are not there, a GPU that is missing."""

import re
import shutil
from pathlib import Path

import pytest

from papertables.base.errors import UserError
from papertables.commands.front_door import enter
from papertables.commands.snakemake_command import Command
from papertables.planning import preflight
from papertables.planning.downloads import check_downloads, downloads, fetched_files
from papertables.planning.plan import make_plan
from papertables.planning.whereabouts import steps_of_the_user
from tests.unit.plans import CONFIG, REPOSITORY, plan_of

OF_ONES_OWN = """\
title: One of my own
rows: {vary: method, values: [vp]}
columns: {vary: dataset, values: [eurosat]}
fixed: {backbone: clip_vit_b16}
"""


@pytest.fixture
def without_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def test_a_hidden_gpu_is_none(monkeypatch):
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert not preflight.gpu_found()


@pytest.mark.slow
def test_a_data_folder_that_cannot_be_one(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UserError, match=f"data_root is {file}/x, but {file} is a file: name a folder"):
        preflight.check_files(plan_of(data_root=f"{file}/x"))
    preflight.check_files(plan_of(data_root=str(tmp_path / "made" / "later")))


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["work {v2}", "work }"])
def test_braces_are_told_with_the_folder(tmp_path, monkeypatch, folder):
    (tmp_path / folder).mkdir()
    with pytest.raises(
        UserError, match=re.escape(f"data_root is {tmp_path / folder}, and Snakemake takes {{ and }} for")
    ):
        preflight.check_files(plan_of(data_root=str(tmp_path / folder)))
    monkeypatch.chdir(tmp_path / folder)
    with pytest.raises(UserError, match=re.escape(f"the working folder is {tmp_path / folder}, and")):
        preflight.check_files(plan_of())
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "workflow", tmp_path / folder / "workflow")
    shutil.copytree(REPOSITORY / "attributes", tmp_path / folder / "attributes")
    with pytest.raises(UserError, match=re.escape(f"the project is {tmp_path / folder}, and")):
        preflight.check_files(make_plan(tmp_path / folder, CONFIG))


@pytest.mark.slow
def test_shared_folders_that_cannot_be_ones(tmp_path):
    with pytest.raises(UserError, match=f"shared_data: there is no folder {tmp_path}/lab"):
        preflight.check_files(plan_of(shared_data=f"{tmp_path}/lab"))
    with pytest.raises(UserError, match="and nothing is written into shared_data: name another"):
        preflight.check_files(plan_of(shared_data=str(tmp_path), data_root=f"{tmp_path}/mine"))
    preflight.check_files(plan_of(shared_data=str(tmp_path)))


@pytest.mark.slow
def test_the_home_folder_may_be_written_short(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert plan_of(data_root="~/data").paths.data_root == str(tmp_path / "data")


@pytest.mark.slow
def test_weights_that_are_not_there():
    with pytest.raises(UserError, match=r"weights: resnet18: there is no file nowhere\.pth"):
        preflight.check_files(plan_of(weights={"resnet18": "nowhere.pth"}))


@pytest.mark.slow
def test_the_paper_scale_without_a_gpu_says_what_it_would_cost(without_gpu, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        preflight.check_gpu(plan_of(scale="paper"), ["blm_padding"])
    said = str(error.value)
    assert "no GPU here, and 432 runs of scale paper would take this CPU about" in said
    assert "years" in said and "A100" in said and "GB of downloads" in said
    assert "--config device=cpu insists" in said and "scale=mini" in said and "profiles/slurm" in said
    preflight.check_gpu(plan_of(scale="paper", device="cpu"), ["blm_padding"])  # insisted


@pytest.mark.slow
def test_little_work_needs_no_gpu(without_gpu, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    preflight.check_gpu(plan_of(device="auto"), plan_of().artefacts)
    with pytest.raises(UserError, match="device is cuda, but this machine has no GPU"):
        preflight.check_gpu(plan_of(device="cuda"), ["attrvr_table1"])


def test_jobs_that_are_done_need_no_gpu(without_gpu, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = plan_of(scale="paper")
    for job in made.jobs_for("atprompt_table11"):
        path = Path(made.paths.job(job.id))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    preflight.check_gpu(made, ["atprompt_table11"])


def test_no_artefact_of_the_mini_scale_downloads():
    made = plan_of()
    assert not any(downloads(made, [id]) for id in made.artefacts)
    check_downloads(made, made.artefacts)


@pytest.mark.slow
def test_downloads_of_the_paper_scale(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = plan_of(scale="paper")
    found = downloads(made, ["attrvr_table1"])
    assert {"ImageNet", "EuroSAT", "CLIP ViT-B/16"} < set(found)
    assert any(name.endswith("sentences for EuroSAT") for name in found)
    check_downloads(made, made.artefacts)
    with pytest.raises(UserError, match="and the configuration downloads nothing: allow it with"):
        check_downloads(plan_of(scale="paper", downloads=False), ["attrvr_table1"])


@pytest.mark.slow
def test_what_is_here_is_not_downloaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab" / "caltech-101" / "101_ObjectCategories" / "ant").mkdir(parents=True)
    (tmp_path / "data" / "dtd").mkdir(parents=True)
    (tmp_path / "data" / "dtd" / "split_subset.json").touch()
    made = plan_of(scale="paper", shared_data=["lab"])
    for path in fetched_files(made, ["attrvr_table1"]):
        if not path.endswith("manifest.json"):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
    lacking = downloads(made, ["attrvr_table1"])
    assert "split_zhou_Caltech101.json of Caltech101" in lacking and "EuroSAT" in lacking
    assert not {"Caltech101", "DTD", "CLIP ViT-B/16"} & {*lacking}
    assert not any("sentences" in name for name in lacking)


@pytest.mark.slow
def test_all_that_is_fetched_is_named(tmp_path):
    made = plan_of(scale="paper", weights={"clip_vit_b16": "mine.pt"})
    files = fetched_files(made, ["attrvr_table1", "attrvr_table2"])
    assert {"results/paper/data/imagenet/manifest.json", "data/weights/RN50.pt"} < {*files}
    assert "data/attributes/gpt3/eurosat_des.json" in files
    assert not {"mine.pt", "data/weights/ViT-B-16.pt"} & {*files}
    assert fetched_files(plan_of(), plan_of().artefacts) == []


def test_a_file_that_is_asked_for_by_itself_is_downloaded_only_if_anything_may_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = plan_of().paths.manifest("eurosat")
    with pytest.raises(UserError, match=f"{file} needs EuroSAT, and scale mini downloads nothing"):
        check_downloads(plan_of(), [], [file])
    (tmp_path / "data" / "eurosat").mkdir(parents=True)
    (tmp_path / "data" / "eurosat" / "split_subset.json").touch()
    check_downloads(plan_of(), [], [file, plan_of().paths.manifest("mini_digits")])


def test_a_data_set_that_is_asked_for_by_itself_needs_nothing_beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = plan_of(scale="paper", downloads=False)
    file = plan.paths.manifest("dtd")
    with pytest.raises(UserError, match=f"^{file} needs DTD, and the configuration downloads nothing"):
        enter(plan, Command((file,), runs=True, executor="local", locks=False))


@pytest.mark.slow
def test_an_artefact_that_needs_a_download_says_so_at_the_mini_scale(tmp_path):
    shutil.copytree(REPOSITORY / "workflow", tmp_path / "workflow")
    shutil.copytree(REPOSITORY / "attributes", tmp_path / "attributes")
    (tmp_path / "workflow" / "papers" / "attrvr" / "mine.yaml").write_text(OF_ONES_OWN)
    with pytest.raises(UserError) as error:
        check_downloads(make_plan(tmp_path, CONFIG), ["attrvr_table1", "attrvr_mine"])
    said = "attrvr_mine needs EuroSAT, and scale mini downloads nothing: allow it with --config downloads=true"
    assert str(error.value) == said
    check_downloads(make_plan(tmp_path, CONFIG | {"downloads": True}), ["attrvr_mine"])


@pytest.mark.slow
def test_a_figure_of_tests_is_configured_where_the_last_epoch_alone_is_tested():
    with pytest.raises(UserError, match=r"attrvr_selection shows tests on the way.*artefacts=\[attrvr_selection\]"):
        preflight.check_tests(plan_of(selection="last"), ["attrvr_table1", "attrvr_selection"])
    preflight.check_tests(plan_of(selection="last", artefacts=["attrvr_selection"]), ["attrvr_selection"])
    preflight.check_tests(plan_of(), ["attrvr_selection"])


@pytest.mark.slow
def test_where_the_last_epoch_is_selected_it_alone_is_tested_but_for_figures_of_tests():
    asked = {name: plan_of(selection="last", artefacts=[name]) for name in ("attrvr_table1", "attrvr_selection")}
    runs = [run.id for run in plan_of().artefacts["attrvr_selection"].runs if run.training]
    assert {asked["attrvr_table1"].tests[id] for id in runs} == {0}
    assert {asked["attrvr_selection"].tests[id] for id in runs} == {plan_of().tests[id] for id in runs} == {1}
    assert asked["attrvr_table1"].jobs == plan_of().jobs


def test_slurm_is_looked_for_where_jobs_are_sent_to_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    preflight.check_scheduler("local")
    with pytest.raises(UserError, match="no sbatch here: start it where sbatch is found"):
        preflight.check_scheduler("slurm")
    (tmp_path / "sbatch").touch(mode=0o755)
    preflight.check_scheduler("slurm")


def test_steps_of_the_user_are_told_before_anything_starts(tmp_path):
    plan = plan_of(scale="paper", data_root=str(tmp_path))
    assert steps_of_the_user(plan, ["blm_padding"]) is None
    told = steps_of_the_user(plan, ["atprompt_table2"])
    assert told.startswith("Steps of yours before these can be prepared: imagenet: ")
