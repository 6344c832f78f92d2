RESULTS = PATHS.results
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    backbone=r"[a-z0-9_-]+",
    source=r"[a-z0-9_-]+",
    part="train|train_whole|val|test|train_sample",
    fit=r"short|crop|square\d*|original",
    size=r"\d+",
    paper="|".join(PLAN.project.papers),
    job=r"[A-Za-z0-9_.+-]+",
    run=r"[A-Za-z0-9_.+-]+",
    search=r"seed\d+-[0-9a-f]+",
    selection="best|last",


def gpus():
    """One GPU for a job that may use one, so that the profile's limit keeps trainings apart."""
    return 0 if PLAN.device == "cpu" else 1


def cache_of(w):
    """What a cache of images holds."""
    return CacheKey(w.part, w.fit, int(w.size))


def run_of(w):
    """The id of a run."""
    return f"{w.dataset}/{w.backbone}/{w.run}"


def artefact_of(w):
    """What a table or figure shows."""
    return PLAN.artefact_at(w.paper, w.name)


def training_logs():
    """By run of what is selected, where its training job writes."""
    runs = [run.id for id in PLAN.selected for run in PLAN.artefacts[id].runs]
    return {run: f"{LOGS}/train/{PLAN.job_of[run]}.log" for run in runs}


def paper_of(w):
    """What a report calls the paper of a table or figure."""
    paper = PLAN.project.papers[w.paper]
    return f"{paper.venue}: {paper.title}"


def titled(w):
    """What a report says of a table or figure in its list."""
    artefact = artefact_of(w).artefact
    return {"id": artefact.id, "title": artefact.title}


def dated(files):
    """A rule's files by name. The time of those that are committed with the project says when it was cloned, and is not
    looked at; their contents are in the rule's signature."""

    def one(path):
        return ancient(path) if PATHS.place(path).committed else path

    return {name: one(each) if isinstance(each, str) else [*map(one, each)] for name, each in files.items()}
