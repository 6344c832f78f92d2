"""Data from elsewhere: planned, fetched in one place, used in another without a network; or found in a lab's folder."""

import json
import os
import pty
import re
import subprocess
from contextlib import suppress

import pytest
import yaml

from papertables.backbones.catalog import backbone
from tests.archives import sha256
from tests.fault_server import FaultServer
from tests.rehearsal.world import make_world
from tests.unit.data.test_shared import ARCHIVE, IMAGES, SPLIT, write
from tests.workflow.test_errors import line

pytestmark = pytest.mark.slow

OURS = ("artefacts=[attrvr_mine]",)
MINE = """\
title: One of my own
rows: {vary: method, values: [zero_shot]}
columns: {vary: dataset, values: [tiny]}
fixed: {backbone: clip_vit_b16}
"""


@pytest.fixture
def web():
    with FaultServer({"tiny.tar.gz": ARCHIVE, "split_tiny.json": SPLIT}) as server:
        yield server


@pytest.fixture
def project(project, web):
    """With a data set of two classes in its catalog, and a table of it."""
    file = {"name": "tiny.tar.gz", "urls": [f"{web.url}/tiny.tar.gz"], "sha256": sha256(ARCHIVE), "format": "tar"}
    split = {"name": "split_tiny.json", "urls": [f"{web.url}/split_tiny.json"], "sha256": sha256(SPLIT)}
    entry = {"label": "Tiny", "source": {"kind": "url", "files": [file]}, "licence": "none", "bytes": len(ARCHIVE)}
    entry |= {"split": {"rule": "file", "file": split}, "places": {"pictures": ["tiny-set/pictures"]}}
    entry |= {"images": "pictures", "classes": 2, "train": 2, "val": 2, "test": 2}
    entry |= {"task": "animal", "clip_template": "a photo of a {}."}
    catalog = project.root / "src" / "papertables" / "data" / "catalog.yaml"
    catalog.write_text(catalog.read_text() + yaml.safe_dump({"tiny": entry}))
    (project.root / "workflow" / "papers" / "attrvr" / "mine.yaml").write_text(MINE)
    return project


def told(printed: str) -> str:
    """What a plan says of the data set."""
    return " ".join(line(printed, "tiny  ").split())


def test_what_is_fetched_needs_no_network_later(project, web):
    assert told(project.run("plan", config=OURS)).endswith("fetched into data/tiny")
    printed = project.run("attrvr_mine", config=(*OURS, "downloads=false"), check=False)
    assert "error: attrvr_mine needs Tiny, and the configuration downloads nothing" in printed
    project.run("fetch", config=OURS)
    assert json.loads((project.results / "data/tiny/manifest.json").read_text())["images"] == 6
    assert not (project.results / "runs").exists()
    web.files.clear()
    asked = len(web.asked)
    assert re.search(r"tiny - - .* here, in data/tiny$", told(project.run("plan", config=OURS)))
    project.run("attrvr_mine", config=(*OURS, "downloads=false"))
    assert (project.results / "tables/attrvr/mine.md").exists()
    assert "Nothing to be done" in project.run("fetch", config=OURS)
    assert len(web.asked) == asked


def test_a_lab_has_it(project, web, tmp_path):
    lab = tmp_path / "lab"
    write(lab / "tiny-set", {f"pictures/{name}": content for name, content in IMAGES.items()})
    config = (*OURS, f"shared_data=[{lab}]")
    said = told(project.run("plan", config=config))
    assert said.endswith(f"found and used in {lab}/tiny-set/pictures; split_tiny.json fetched")
    project.run("attrvr_mine", config=config)
    assert [path for path, _ in web.asked] == ["split_tiny.json"]
    assert "what a shared folder has" in (project.results / "tables/attrvr/mine.md").read_text()
    write(lab, {"tiny-set/split_tiny.json": SPLIT})
    assert "Nothing to be done" in project.run("attrvr_mine", config=(*OURS, f"shared_data=[{lab}]", "downloads=false"))


def test_what_cannot_be_fetched_leaves_the_others(project, web):
    del web.files["split_tiny.json"]
    printed = project.run("fetch", config=(*OURS, "download_patience=0"), check=False)
    assert "cannot download split_tiny.json" in line(printed, "prepare failed: ")
    web.files["split_tiny.json"] = SPLIT
    project.run("fetch", config=OURS)
    assert [path for path, _ in web.asked].count("tiny.tar.gz") == 1


def test_a_terminal_is_told_how_much_is_here(tmp_path):
    world = make_world(tmp_path, ["dtd"], ["resnet18"])
    files = (f"data/weights/{backbone('resnet18').file}", "results/rehearsal/data/dtd/manifest.json")
    terminal, end = pty.openpty()
    with world.server() as server:
        command = world.project.command(*files, "--config", "scale=rehearsal", world.mirrors(server))
        running = subprocess.Popen(
            command, cwd=world.project.root, env=world.project.environment, stdout=end, stderr=end
        )
        os.close(end)
        said = b""
        with suppress(OSError):  # a terminal that nobody writes to any more
            while part := os.read(terminal, 4096):
                said += part
    os.close(terminal)
    assert running.wait() == 0
    assert b"GB are here (100%)" in said and b"Logging error" not in said


def test_what_only_a_user_can_bring_is_asked_for_and_taken(tmp_path):
    """What the line says is done: the files that it names are put into the folder that it names."""
    world, elsewhere = make_world(tmp_path, ["imagenet"]), tmp_path / "elsewhere"
    (world.project.root / "data/imagenet").rename(elsewhere)
    manifest = "results/rehearsal/data/imagenet/manifest.json"
    with world.server() as server:
        config = ("scale=rehearsal", world.mirrors(server))
        said = line(world.project.run(manifest, config=config, check=False), "prepare failed: imagenet needs a step of")
        assert not server.asked  # for the list of labels, before the images are there
        folder = world.project.root / re.search(r"put it into (\S+)", said)[1]
        for name in sorted(set(re.findall(r"ILSVRC2012_img_\w+\.tar", said))):
            (elsewhere / name).rename(folder / name)
        world.project.run(manifest, config=config)
    prepared = json.loads((world.project.root / manifest).read_text())
    assert {part: prepared[part] for part in ("train", "test")}.items() <= world.made["imagenet"].counts.items()
