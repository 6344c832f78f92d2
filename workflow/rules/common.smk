RESULTS = PATHS.results
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    backbone=r"[a-z0-9_-]+",
    source=r"[a-z0-9_-]+",
    part="train|val|test",
    fit="short|crop|square",
    size=r"\d+",
    paper="|".join(PLAN.project.papers),
    job=r"[A-Za-z0-9_.+-]+",
    run=r"[A-Za-z0-9_.+-]+",
    search=r"seed\d+-[0-9a-f]+",
    selection="best|last",


def gpus():
    """One GPU for a job that may use one, so that the profile's limit keeps trainings apart."""
    return 0 if PLAN.device == "cpu" else 1


def jobs_of(*artefacts):
    """The files of the jobs that own the artefacts' runs; none where tables are made of what is there."""
    if PLAN.config.partial:
        return []
    return list(dict.fromkeys(PATHS.job(job.id) for id in artefacts for job in PLAN.jobs_for(id)))


def sentence_files(dataset, backbone):
    """Every file of sentences that some run reads with this backbone on this data set."""
    return [file for files in PLAN.attribute_files(dataset, backbone).values() for file in files]


def encode_input(w):
    return {
        "split": PATHS.split(w.dataset),
        "manifest": PATHS.manifest(w.dataset),
        "images": PLAN.plain_cache(w.dataset, w.backbone),
        "weights": PATHS.weights(w.backbone),
        "sentences": sentence_files(w.dataset, w.backbone),
    }


def train_input(w):
    job = PLAN.jobs[w.job]
    return {
        "split": PATHS.split(job.dataset),
        "manifest": PATHS.manifest(job.dataset),
        "encoded": PATHS.encoded(job.dataset, job.backbone),
        "weights": PATHS.weights(job.backbone),
        "caches": list(PLAN.caches(job).values()),
        "sentences": sentence_files(job.dataset, job.backbone),
        "searched": list(dict.fromkeys(PLAN.searched_for(job).values())),
        "elsewhere": elsewhere_files(job),
    }


def elsewhere_files(job):
    """Of the other data sets that a job's runs are scored on."""
    names = PLAN.target_datasets(job)
    files = [[PATHS.manifest(name), PATHS.encoded(name, job.backbone)] for name in names]
    return [*sum(files, []), *PLAN.target_caches(job).values()]


def searches_of(w):
    """The searches that a table or figure shows."""
    return [PLAN.searched(search) for search in PLAN.artefact_at(w.paper, w.name).searches]


def search_input(w):
    caches = PLAN.search_caches(PLAN.search(w.dataset, w.backbone, w.search))
    return {
        "split": PATHS.split(w.dataset),
        "manifest": PATHS.manifest(w.dataset),
        "weights": PATHS.weights(w.backbone),
        **caches,
    }


def embedded_files(w):
    """Of the runs whose embeddings a figure shows, by run id."""
    planned = PLAN.artefact_at(w.paper, w.name)
    return {run.id: PATHS.embedded(run.id, planned.selection) for run in PLAN.embedded_runs(planned)}


def embed_input(w):
    run = PLAN.run(f"{w.dataset}/{w.backbone}/{w.run}")
    files = PLAN.attribute_files(w.dataset, w.backbone)
    return {
        "split": PATHS.split(w.dataset),
        "plain": PLAN.plain_cache(w.dataset, w.backbone),
        "own": PATHS.cache(w.dataset, *run.test_cache),
        "encoded": PATHS.encoded(w.dataset, w.backbone),
        "weights": PATHS.weights(w.backbone),
        "sentences": list(files[run.attributes]) if run.attributes else [],
        "job": PATHS.job(PLAN.job_of[run.id]),
    }
