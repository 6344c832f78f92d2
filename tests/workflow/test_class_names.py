"""Class names and sentences are compared by the rule that sees both first, before anything trains."""

import hashlib
import json
from pathlib import Path

from tests.workflow.test_errors import line

PAPER = ("scale=paper",)  # which reads published sentences
FETCHED = "data/attributes/gpt3/dtd_des.json"


def sentences(*classes: str) -> str:
    return json.dumps({name: [f"The look of {name}, told in a sentence."] for name in classes})


def write_split(path: Path, *classes: str) -> None:
    items = [[f"{label}.png", label, name] for label, name in enumerate(classes)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"train": items, "val": [], "test": items}))


def publish(project, content: str) -> None:
    """Has the project fetch its sentences for DTD from a file beside it."""
    published = project.root.parent / "published"
    published.mkdir(exist_ok=True)
    (published / "dtd_des.json").write_text(content)
    room = project.root / "src" / "papertables" / "attributes"
    catalog = (room / "catalog.yaml").read_text().splitlines()
    catalog = [f"  url: {published.as_uri()}" if each.endswith("/gpt3") else each for each in catalog]
    (room / "catalog.yaml").write_text("\n".join(catalog))
    row = "gpt3,dtd,des,dtd_des.json,"
    files = [each for each in (room / "published.csv").read_text().splitlines() if not each.startswith(row)]
    files.append(f"{row}{len(content)},{hashlib.sha256(content.encode()).hexdigest()}")
    (room / "published.csv").write_text("\n".join(files))


def test_prepare_reads_the_sentences_that_are_there(project):
    file = project.root / "attributes" / "mini" / "mini_digits_des.json"
    good = file.read_text()
    content = json.loads(good)
    content["seven!"] = content.pop("seven")
    file.write_text(json.dumps(content))
    manifest = "results/tiny/data/mini_digits/manifest.json"
    says = line(project.run(manifest, check=False), "has no entry")
    assert says.startswith(f"prepare failed: {file}: class 'seven' has no entry (did you mean 'seven!'?)")
    assert not (project.root / manifest).exists()
    file.write_text(good)
    project.run(manifest)


def test_sentences_that_come_after_the_split_are_compared_with_it(project):
    publish(project, sentences("banded", "zigzagged"))
    split = project.root / "results" / "paper" / "data" / "dtd" / "split.json"
    write_split(split, "banded", "zig-zagged")
    says = line(project.run(FETCHED, config=PAPER, check=False), "has no entry")
    assert says.startswith(f"fetch_attributes failed: {FETCHED}: class 'zig-zagged' has no entry")
    assert "(did you mean 'zigzagged'?)" in says
    assert not (project.root / FETCHED).exists()
    write_split(split, "banded", "zigzagged")
    project.run(FETCHED, config=PAPER)
    assert (project.root / FETCHED).exists()


def test_sentences_that_come_before_the_split_are_fetched_alone(project):
    publish(project, sentences("banded"))
    project.run(FETCHED, config=PAPER)
    assert (project.root / FETCHED).exists()
