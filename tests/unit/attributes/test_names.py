"""Class names against those in AttrVR's published files of sentences; ``recorded/class_names.json`` says where from."""

import csv
import json
from pathlib import Path

import pytest

from papertables.attributes import catalog
from papertables.attributes.catalog import AttributeSource, Spelling, attribute_sources, language_models
from papertables.attributes.names import check_names
from papertables.attributes.sampling import read_attributes, read_sentences
from papertables.base.errors import UserError
from papertables.data.catalog import dataset
from papertables.data.imagenet import imagenet_classes

FACTS = json.loads((Path(__file__).parents[1] / "recorded" / "class_names.json").read_text())
NAMES = {"imagenet": list(imagenet_classes().values())} | FACTS["names"]
PUBLISHED = list(csv.DictReader((Path(catalog.__file__).parent / "published.csv").read_text().splitlines()))
FIDELITY = Path(__file__).parents[3] / "docs" / "fidelity.md"


def write(folder: Path, name: str, classes: list[str]) -> Path:
    """A file of sentences with one for each class."""
    path = folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({each: [f"A long sentence about {each}."] for each in classes}))
    return path


def write_split(folder: Path, names: list[str]) -> Path:
    items = [[f"{label}.png", label, name] for label, name in enumerate(names)]
    path = folder / "split.json"
    path.write_text(json.dumps({"train": items, "val": [], "test": items}))
    return path


def test_the_facts_cover_every_published_file():
    known = {(source, id, kind) for id in NAMES for source in FACTS["keys"][id]["sources"] for kind in ("des", "dist")}
    assert known == {(file["source"], file["dataset"], file["kind"]) for file in PUBLISHED}
    assert len(known) == 48


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: f"{file['source']}-{file['dataset']}-{file['kind']}")
def test_every_class_has_an_entry_in_every_published_file(tmp_path, file):
    names, keys = NAMES[file["dataset"]], FACTS["keys"][file["dataset"]]["keys"]
    assert len(names) == dataset(file["dataset"]).classes
    sentences = write(tmp_path / file["source"], f"{file['dataset']}_{file['kind']}", keys)
    check_names(write_split(tmp_path, names), [sentences])
    assert set(keys) == set(names)


def test_every_declared_spelling_is_of_a_published_file_and_has_a_reason():
    files = {(file["source"], f"{file['dataset']}_{file['kind']}") for file in PUBLISHED}
    for source in (each for id, each in attribute_sources().items() if id not in language_models()):
        for name, spelling in source.spellings.items():
            assert (source.id, name) in files
            assert spelling.names and spelling.reason.strip()


def test_the_table_in_the_docs_says_what_was_found():
    rows = [line for line in FIDELITY.read_text().splitlines() if line.startswith("| ")]
    for id, names in NAMES.items():
        keys = FACTS["keys"][id]
        matched = f"{sum(name in keys['keys'] for name in names)} / {len(names)}"
        (row,) = [row for row in rows if row.startswith(f"| {dataset(id).label} |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1:6] == [
            matched if source in keys["sources"] else ""
            for source in ("gpt3", "gpt4omini_llm", "gpt4omini_mllm", "llama", "phi3")
        ]


def test_a_class_without_an_entry_is_named_with_the_file_and_the_nearest_spelling(tmp_path):
    split = write_split(tmp_path, ["tench", "hammerhead"])
    file = write(tmp_path / "gpt3", "imagenet_des", ["tench", "hammerhead shark", "Hammer"])
    with pytest.raises(UserError) as error:
        check_names(split, [file])
    says = str(error.value)
    assert says.startswith(f"{file}: class 'hammerhead' has no entry (did you mean 'hammerhead shark'?): ")
    assert "spellings in src/papertables/attributes/catalog.yaml" in says and "\n" not in says


@pytest.mark.parametrize("spelling", ["Flying Saucer", "flying-saucer", "flying_saucer"])
def test_another_case_a_hyphen_and_an_underscore_are_another_name(tmp_path, spelling):
    file = write(tmp_path / "gpt3", "imagenet_des", [spelling])
    with pytest.raises(UserError, match=f"class 'flying saucer' has no entry .*'{spelling}'"):
        check_names(write_split(tmp_path, ["flying saucer"]), [file])


def test_a_class_with_no_sentence_to_use_is_named(tmp_path):
    file = tmp_path / "x_des.json"
    file.write_text(json.dumps({"tench": ["short"]}))
    with pytest.raises(UserError, match=r"x_des\.json: class 'tench' has no sentence of 20 characters"):
        check_names(write_split(tmp_path, ["tench"]), [file])


def test_what_is_not_there_yet_is_not_asked_about(tmp_path):
    file = write(tmp_path / "gpt3", "imagenet_des", ["goldfish"])
    check_names(tmp_path / "split.json", [file])
    split = write_split(tmp_path, ["tench"])
    check_names(split, [tmp_path / "gpt3" / "imagenet_dist.json"])
    with pytest.raises(UserError, match="class 'tench' has no entry"):
        check_names(split, [tmp_path / "gpt3" / "imagenet_dist.json", file])


def test_a_declared_spelling_is_found_in_its_own_file_alone(tmp_path, monkeypatch):
    declared = Spelling(names={"hammerhead": "hammerhead shark"}, reason="the shark")
    source = AttributeSource(
        id="gpt3", title="told", licence="MIT", url="https://example.org", spellings={"imagenet_des": declared}
    )
    monkeypatch.setattr(catalog, "attribute_sources", lambda: {"gpt3": source})
    classes = ["tench", "hammerhead shark"]
    des, dist = (write(tmp_path / "gpt3", f"imagenet_{kind}", classes) for kind in ("des", "dist"))
    split = write_split(tmp_path, ["tench", "hammerhead"])
    check_names(split, [des])
    assert read_sentences(des)["hammerhead"] == ["A long sentence about hammerhead shark."]
    for file in (dist, write(tmp_path / "other", "imagenet_des", classes)):
        with pytest.raises(UserError, match="class 'hammerhead' has no entry"):
            check_names(split, [file])
    before = read_attributes(des, dist).digest
    monkeypatch.undo()
    assert read_attributes(des, dist).digest != before  # runs that read the file are made again
