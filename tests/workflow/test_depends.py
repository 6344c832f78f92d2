"""What a result depends on, changed by a user: Snakemake runs again what it touches, and nothing else."""

import re


def wanted(project, *config: str) -> str:
    return project.run("-n", "blm_padding", config=config)


def test_a_corrected_normalisation_makes_the_runs_anew(project):
    """As in a correction of the catalog; runs of the other classifier stay as they are."""
    project.run("blm_padding")
    assert "Nothing to be done" in wanted(project)
    before, times = (project.results / "tables/blm/padding.csv").read_text(), project.metrics_times()
    catalog = project.root / "src/papertables/backbones/catalog.yaml"
    text = catalog.read_text()
    start, end = text.index("\nmini-cls-rn:"), text.index("\nmini-cls-vit:")
    changed = (
        text[start:end]
        .replace("[0.485, 0.456, 0.406]", "[0.2, 0.2, 0.2]")
        .replace("[0.229, 0.224, 0.225]", "[1, 1, 1]")
    )
    catalog.write_text(text[:start] + changed + text[end:])
    planned = wanted(project)
    jobs = re.findall(r"wildcards: job=(\S+)", planned)
    assert jobs and all(".mini-cls-rn." in job for job in jobs)
    project.run("blm_padding")
    after = project.metrics_times()
    assert {run for run in times if times[run] != after[run]} == {run for run in times if "/mini-cls-rn/" in run}
    assert (project.results / "tables/blm/padding.csv").read_text() != before
    assert "Nothing to be done" in wanted(project)
