"""Students wait for their teachers."""

import json

STUDENTS = "results/tiny/jobs/atprompt_table1.mini_digits.mini-vit.students0.jsonl"


def students(project) -> dict[str, dict]:
    records = (json.loads(path.read_text()) for path in (project.results / "runs").rglob("metrics.json"))
    return {record["run"]: record for record in records if record["spec"]["teacher"]}


def test_teachers_come_first_and_are_made_once(project):
    project.run(STUDENTS)
    found = students(project)
    teachers = {record["spec"]["teacher"]["seed"]: record["spec"]["teacher"] for record in found.values()}
    assert len(found) == 4 and set(teachers) == {1}  # two rows and two seeds, whose teachers are of the first
    assert all(record["fingerprint"]["teacher"] for record in found.values())
    assert {bool(record["spec"]["teacher"]["options"]["attributes"]) for record in found.values()} == {True, False}
    assert "Nothing to be done" in project.run("-n", STUDENTS)
    before = project.metrics_times()
    assert "rule train:" in project.run(STUDENTS, "--forcerun", "train")
    assert project.metrics_times() == before  # what teaches the same teaches nothing anew
