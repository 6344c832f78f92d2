"""The command ``papertables``: what only reads, and a way to Snakemake that puts its arguments in the right order."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
import yaml
from pydantic import JsonValue
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from papertables.artefacts import damage
from papertables.base.errors import UserError, unknown
from papertables.base.seals import read_sealed
from papertables.commands import differences, terminal
from papertables.commands import prune as left_over
from papertables.commands import status as how_far
from papertables.commands import why as reasons
from papertables.commands.trial import trial
from papertables.planning import report as plan_report
from papertables.planning.plan import Plan, make_plan
from papertables.planning.preflight import check_files
from papertables.planning.project import NO_ARTEFACTS, scales
from papertables.planning.targets import FETCH, NAMES, asked
from papertables.results.format import check_format
from papertables.results.imports import write_imported
from papertables.results.metrics import Metrics
from papertables.results.store import Store
from papertables.specs.validation import read_keys

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
EXAMPLES = {"--config": "selection=last", "--set": "training.epochs=5"}
OWN = "own"  # the declared language model that a user names on the command line
out = Console(width=None if sys.stdout.isatty() else terminal.UNLIMITED, highlight=False)


def _completed(begun: str) -> list[str]:
    """The papers and artefacts that a word on the command line may become; a plan would take too long."""
    papers = _project() / "workflow" / "papers"
    declared = (path for path in papers.glob("*/*.yaml") if path.stem not in NO_ARTEFACTS)
    names = {folder.name for folder in papers.iterdir()} | {f"{path.parent.name}_{path.stem}" for path in declared}
    return sorted(name for name in names if name.startswith(begun))


Targets = Annotated[
    list[str] | None,
    typer.Argument(help="Artefacts, papers or files; none: what config.yaml names.", autocompletion=_completed),
]
Artefacts = Annotated[
    list[str] | None,
    typer.Argument(help="Artefacts and papers; none: what config.yaml names.", autocompletion=_completed),
]
Artefact = Annotated[str, typer.Argument(autocompletion=_completed)]
Papers = Annotated[list[str] | None, typer.Argument(help="Papers; none: all that have verdicts.")]
ScaleName = Annotated[str | None, typer.Option("--scale", help="mini, paper, …; none: that of config.yaml.")]
Overrides = Annotated[list[str] | None, typer.Option("--config", metavar="KEY=VALUE", help="Over config.yaml.")]
ModelName = Annotated[str | None, typer.Option("--model", help="A language model that makes sentences and bases.")]
Address = Annotated[str | None, typer.Option("--base-url", help="Of its OpenAI-compatible server.")]
Cores = Annotated[str, typer.Option(help="How many processor cores may be used.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def main() -> None:
    """Runs the command; an error that a user can mend is one line."""
    try:
        app()
    except UserError as error:
        sys.exit(f"error: {error}")


@app.command()
def plan(
    targets: Targets = None,
    scale: ScaleName = None,
    config: Overrides = None,
    model: ModelName = None,
    base_url: Address = None,
    as_json: AsJson = False,
) -> None:
    """What targets cost before anything runs: jobs, images, time, downloads, disk, and requests of a language model."""
    made = _plan(scale, [*(config or []), *asking(model, base_url, config)])
    wanted = asked(made, targets or ())
    typer.echo(json.dumps(plan_report.record(made, wanted), indent=1) if as_json else plan_report.text(made, wanted))


@app.command("list")
def list_targets(scale: ScaleName = None, config: Overrides = None, as_json: AsJson = False) -> None:
    """The targets, a line each."""
    made = _plan(scale, config)
    rows = [
        {
            "target": id,
            "paper": planned.paper.id,
            "kind": planned.artefact.kind,
            "title": planned.artefact.title,
            "headline": planned.artefact.headline,
        }
        for id, planned in made.artefacts.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    grid = Grid("target", "what", box=None, header_style="bold", pad_edge=False)
    for name, what in NAMES.items():
        grid.add_row(name, what)
    for paper in made.project.papers.values():
        grid.add_row()
        grid.add_row(paper.id, escape(f"{paper.title} ({paper.venue})"), style="bold")
        for row in rows:
            if row["paper"] == paper.id:
                grid.add_row(row["target"], escape(row["title"] + (" (headline)" if row["headline"] else "")))
    out.print(grid)


@app.command()
def show(artefact: Artefact, scale: ScaleName = None, config: Overrides = None, as_json: AsJson = False) -> None:
    """A table that was made, readable in the terminal; of a figure its files and what stands beside it."""
    made = _plan(scale, config)
    made.require(artefact)
    if artefact not in made.artefacts:
        raise UserError(unknown("artefact", artefact, made.artefacts))
    (file,) = map(Path, made.files([artefact], ["json"]))
    if not file.exists():
        raise UserError(f"{artefact} is not made yet: papertables make {artefact} --scale {made.scale.name}")
    planned = made.artefacts[artefact]
    if planned.runs:
        _say_other_selection(made, artefact, read_sealed(file).get("selection"), planned.selection)
    if as_json:
        typer.echo(json.dumps(read_sealed(file), indent=1, ensure_ascii=False))
    elif planned.artefact.kind == "table":
        terminal.show_table(out, file)
    else:
        terminal.show_figure(out, file)


@app.command()
def claims(papers: Papers = None, scale: ScaleName = None, config: Overrides = None, as_json: AsJson = False) -> None:
    """Which of the papers' claims hold, by how much and by how many seeds, and how many printed numbers agree."""
    made = _plan(scale, config)
    for name in papers or ():
        if name not in made.project.papers:
            raise UserError(unknown("paper", name, made.project.papers))
    wanted = {name: Path(f"{made.paths.verdicts(name)}.json") for name in papers or made.project.papers}
    files = [file for file in wanted.values() if file.exists()]
    unmade = [name for name in papers or made.judged if not wanted[name].exists()]
    if unmade and (papers or not files):
        asks = "" if {*unmade} <= {*made.judged} else f" --config 'artefacts=[{', '.join(unmade)}]'"
        told = f"of {', '.join(unmade)} no" if papers else "no"
        raise UserError(f"{told} verdicts are made yet: papertables make verdicts --scale {made.scale.name}{asks}")
    for file in files:
        asked_for = made.config.selection or made.project.papers[file.stem].selection
        _say_other_selection(made, "verdicts", read_sealed(file).get("made", {}).get("selection"), asked_for)
    if as_json:
        typer.echo(json.dumps([read_sealed(file) for file in files], indent=1, ensure_ascii=False))
    else:
        for file in files:
            terminal.show_verdicts(out, file)


@app.command()
def verify(scale: ScaleName = None, config: Overrides = None, as_json: AsJson = False) -> None:
    """What is damaged or gone of what was made, and what would run again; exits with 1 where anything is."""
    found = list(damage.look_through(_plan(scale, config)))
    bad = [each for each in found if each.problem]
    old = sum(not each.sealed for each in found if not each.problem)
    if as_json:
        problems = [{"file": each.file, "problem": each.problem, "again": each.again} for each in bad]
        counts = {"files": len(found), "without_checksum": old, "damaged": problems}
        typer.echo(json.dumps(counts, indent=1, ensure_ascii=False))
    else:
        for each in bad:
            out.print(f"{each.file}: {each.problem}; then runs: {each.again}", soft_wrap=True, markup=False)
        unsealed = f", {old:,} of them without a checksum, from before there were any" if old else ""
        out.print(f"{len(found):,} files: {len(found) - len(bad):,} whole{unsealed}, {len(bad):,} damaged or gone")
    raise typer.Exit(1 if bad else 0)


@app.command()
def status(targets: Targets = None, scale: ScaleName = None, config: Overrides = None, as_json: AsJson = False) -> None:
    """How far targets are: runs done, running, waiting and failed, and why; works beside a pipeline and after it."""
    made = _plan(scale, config)
    found = how_far.status(made, list(asked(made, targets or ())))
    typer.echo(json.dumps(found.record(), indent=1)) if as_json else terminal.show_status(out, found)


@app.command()
def why(run: str, scale: ScaleName = None, config: Overrides = None, as_json: AsJson = False) -> None:
    """Why a run would train again: what of it is not as it was when it was made. RUN: an id, or a part of one."""
    made = _plan(scale, config)
    chosen = reasons.named(made, run)
    found = reasons.why(made, chosen)
    if as_json:
        typer.echo(json.dumps({"run": chosen.id, "reasons": found}, indent=1, ensure_ascii=False))
        return
    out.print(f"{chosen.id} {'would be made again:' if found else 'is as it would be made now'}", soft_wrap=True)
    for reason in found:
        out.print(f"- {reason}", soft_wrap=True, markup=False)


@app.command()
def diff(run: str, other: str, scale: ScaleName = None, config: Overrides = None, as_json: AsJson = False) -> None:
    """What differs between two runs: settings, contents, code; and their scores. RUN, OTHER: ids, or parts of ids."""
    made = _plan(scale, config)
    one, two = (_record(made, name) for name in (run, other))
    found = differences.of_runs(one, two)
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in found], indent=1, ensure_ascii=False))
    else:
        terminal.show_pairs(out, one.run, two.run, found)


@app.command()
def compare(old: Path, new: Path, as_json: AsJson = False) -> None:
    """The numbers of two results folders, one by one, as after an upgrade; exits with 1 where any differs."""
    found = list(differences.of_folders(old, new))
    if as_json:
        rows = [each._asdict() | {"changed": [pair._asdict() for pair in each.changed]} for each in found]
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        terminal.show_compared(out, found)
    raise typer.Exit(1 if any(each.changed or each.problem for each in found) else 0)


@app.command("import")
def import_checkpoint(
    run: str,
    file: Path,
    scale: ScaleName = None,
    config: Overrides = None,
    device: str = "cpu",
    as_json: AsJson = False,
) -> None:
    """Scores a checkpoint that the released code of CoOp, CoCoOp, MaPLe, DePT or ATPrompt wrote as the run RUN (an id,
    or a part of one), beside what that run has here."""
    made = _plan(scale, config)
    spec = reasons.named(made, run)
    job = made.inputs.train(made.job_of[spec.id])
    from papertables.training import imported

    imported.check_import(spec, file)
    lacking = [path for path in imported.files_for(job, spec) if not Path(path).exists()]
    overrides = [*([f"scale={scale}"] if scale else []), *(config or [])]
    if lacking and subprocess.run(_snakemake(lacking, [], overrides, "all")).returncode:
        raise typer.Exit(1)
    found = imported.import_checkpoint(job, spec, file, device)
    path = write_imported(Path(made.paths.imported), found)
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
    else:
        terminal.show_imported(out, found, Store(Path(made.paths.runs)).read(spec.id))
        out.print(f"\n{path}", soft_wrap=True, markup=False)


@app.command()
def prune(config: Overrides = None, yes: Annotated[bool, typer.Option("--yes", help="Removes them.")] = False) -> None:
    """Lists runs, caches and checkpoints that no artefact of any scale needs under this configuration."""
    found = [path for name in scales(_project()) for path in left_over.unneeded(_plan(name, config))]
    sizes = {path: left_over.size(path) for path in found}
    for path in found:
        out.print(f"{sizes[path] / 1e6:10.1f} MB  {path}", soft_wrap=True, markup=False)
    if yes:
        left_over.remove(found)
    end = "removed" if yes else "papertables prune --yes removes them" if found else "nothing to remove"
    out.print(f"{len(found):,} of {sum(sizes.values()) / 1e9:.2f} GB that nothing needs: {end}")


@app.command(context_settings={"ignore_unknown_options": True})
def make(
    targets: Targets = None,
    scale: ScaleName = None,
    config: Overrides = None,
    model: ModelName = None,
    base_url: Address = None,
    cores: Cores = "all",
) -> None:
    """Makes targets with Snakemake. Options of Snakemake's own, such as --dry-run, go behind the targets."""
    given = list(targets or ())
    first = next((place for place, argument in enumerate(given) if argument.startswith("-")), len(given))
    names, options = given[:first], given[first:]
    overrides = [*([f"scale={scale}"] if scale else []), *(config or []), *asking(model, base_url, config)]
    command = _snakemake(names, options, overrides, cores)
    os.execv(command[0], command)


@app.command()
def train(
    method: str,
    dataset: Annotated[list[str], typer.Option(help="A data set; once for each.")],
    backbone: Annotated[str, typer.Option(help="As papers call it, or what stands in for one at the scale.")],
    paper: Annotated[str | None, typer.Option(help="Whose protocol; none: the first that has the method.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Such as 1,2; none: the scale's or the paper's.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Such as training.epochs=5.")
    ] = None,
    scale: ScaleName = None,
    config: Overrides = None,
    cores: Cores = "all",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="What it would cost; nothing runs.")] = False,
) -> None:
    """One method on one data set or several, and its table, without a file that declares it."""
    overrides = [*([f"scale={scale}"] if scale else []), *(config or []), *_seeded(seeds)]
    declared = trial(_plan(None, overrides).project, method, dataset, backbone, paper, _overridden(settings, "--set"))
    overrides.append(f"trial={json.dumps(declared)}")
    made = _plan(None, overrides)  # an error is told before Snakemake starts
    made.require(declared["id"])
    out.print(_shared(made, declared["id"]), soft_wrap=True)
    if dry_run:
        typer.echo(plan_report.text(made, asked(made, [declared["id"]])))
        return
    if subprocess.run(_snakemake([declared["id"]], [], overrides, cores)).returncode:
        raise typer.Exit(1)
    (file,) = map(Path, made.files([declared["id"]], ["json"]))
    terminal.show_table(out, file)
    out.print(f"\n{file.with_suffix('.html')}, and as .md, .csv and .tex", soft_wrap=True, markup=False)


@app.command("gpu-check")
def gpu_check(device: Annotated[str, typer.Option(help="cuda; or cpu, to try the check itself.")] = "cuda") -> None:
    """Whether every method trains on this machine's GPU as on the CPU, and how fast; nothing is downloaded."""
    script = _project() / "benchmarks" / "gpu_check.py"
    os.execv(sys.executable, [sys.executable, str(script), "--device", device])


@app.command()
def fetch(artefacts: Artefacts = None, scale: ScaleName = None, config: Overrides = None) -> None:
    """Brings what artefacts and papers need from elsewhere, for machines without a network: ``snakemake fetch``."""
    chosen = [f"artefacts={json.dumps(artefacts)}"] if artefacts else []
    make([FETCH], scale, [*(config or []), *chosen])


def asking(model: str | None, base_url: str | None, overrides: list[str] | None) -> list[str]:
    """What has a language model asked, as overrides: its sentences and bases, searched, in place of the published ones,
    but for what overrides say themselves."""
    told = {name: value for name, value in (("model", model), ("base_url", base_url)) if value}
    if not told:
        return []
    said = _overridden(overrides)
    llm = {**told, **said["llm"]} if isinstance(said.get("llm"), dict) else told
    wanted = {"sentences": OWN, "bases": OWN, "anchors": "searched"} | said
    return [*(f"{name}={value}" for name, value in wanted.items() if name not in said), f"llm={json.dumps(llm)}"]


def _say_other_selection(made: Plan, target: str, shown: str | None, asked_for: str) -> None:
    """Beside what is printed, where that was made with another selection than the one asked for."""
    if shown not in (None, asked_for):
        under = f" --config selection={made.config.selection}" if made.config.selection else ""
        again = f"papertables make {target} --scale {made.scale.name}{under}"
        typer.echo(f"{target}: made with selection={shown}, not {asked_for}: {again}", err=True)


def _plan(scale: str | None, overrides: list[str] | None) -> Plan:
    """The plan under config.yaml and what the command line puts over it."""
    root = _project()
    config = read_keys(root / "config.yaml") | _overridden(overrides)
    made = make_plan(root, config | ({"scale": scale} if scale else {}))
    check_files(made)
    check_format(Path(made.paths.runs))
    return made


def _shared(made: Plan, artefact: str) -> str:
    """How many runs an artefact shows, and how many more the jobs make that these are in."""
    shown = {run.id for run in made.artefacts[artefact].runs}
    more = sum(len(job.runs) for job in made.jobs_for(artefact)) - len(shown)
    told = f"{len(shown)} runs at scale {made.scale.name}"
    return f"{told}; their jobs make {more} others too, which declared tables show" if more else told


def _record(made: Plan, name: str) -> Metrics:
    """Of a run that was made."""
    run = reasons.named(made, name).id
    if not (Path(made.paths.runs) / run).exists():
        raise UserError(f"{run} is not made yet: papertables make {made.paths.job(made.job_of[run])}")
    return Store(Path(made.paths.runs)).record(run)


def _snakemake(names: Sequence[str], options: Sequence[str], overrides: Sequence[str], cores: str) -> list[str]:
    if cores == "0":
        raise UserError("--cores 0: write a whole number, at least 1, or all")
    snakefile = str(_project() / "Snakefile")
    command = [sys.executable, "-m", "snakemake", *names, "--snakefile", snakefile, "--cores", cores, *options]
    return [*command, *(["--config", *overrides] if overrides else [])]


def _seeded(text: str | None) -> list[str]:
    """Seeds on the command line, as overrides."""
    if text is not None and not all(each.strip().isdecimal() for each in text.split(",")):
        raise UserError(f"--seeds '{text}': write whole numbers, such as --seeds 1,2")
    return [] if text is None else [f"seeds=[{text}]"]


def _overridden(texts: list[str] | None, option: str = "--config") -> dict[str, JsonValue]:
    return dict(_override(text, option) for text in texts or ())


def _override(text: str, option: str) -> tuple[str, JsonValue]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"{option} {text}: write KEY=VALUE, such as {option} {EXAMPLES[option]}")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise UserError(f"{option} {text}: what follows the = is no value that YAML knows") from None


def _project() -> Path:
    """The project around the working folder, which becomes the one worked in, or that of this package."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if _is_project(folder):
            os.chdir(folder)
            return folder
    own = Path(__file__).resolve().parents[3]
    if not _is_project(own):
        raise UserError("there is no project here: go to the folder that holds papertables' Snakefile")
    return own


def _is_project(folder: Path) -> bool:
    return (folder / "Snakefile").is_file() and (folder / "workflow" / "papers").is_dir()


if __name__ == "__main__":
    main()
