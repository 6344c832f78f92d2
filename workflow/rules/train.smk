def encode_input(w):
    size = backbone(w.backbone).image_size
    return {
        "split": PATHS.split(w.dataset),
        "manifest": PATHS.manifest(w.dataset),
        "images": PATHS.cache(w.dataset, "test", size),
        "weights": PATHS.weights(w.backbone),
        "sentences": [
            file for files in PLAN.attribute_files(w.dataset, w.backbone).values() for file in files
        ],
    }


def train_input(w):
    job = PLAN.jobs[w.job]
    return {
        "split": PATHS.split(job.dataset),
        "manifest": PATHS.manifest(job.dataset),
        "encoded": PATHS.encoded(job.dataset, job.backbone),
        "weights": PATHS.weights(job.backbone),
        "caches": list(PLAN.caches(job).values()),
        "sentences": [
            file for files in PLAN.attribute_files(job.dataset, job.backbone).values() for file in files
        ],
    }


rule encode:
    input:
        unpack(encode_input),
    output:
        PATHS.encoded("{dataset}", "{backbone}"),
    log:
        f"{LOGS}/encode/{{dataset}}/{{backbone}}.log",
    benchmark:
        f"{BENCHMARKS}/encode/{{dataset}}/{{backbone}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: PLAN.scale.threads
    resources:
        gpu=gpus(),
    params:
        numerics=NUMERICS,
    script:
        "../scripts/encode.py"


rule train:
    input:
        unpack(train_input),
    output:
        PATHS.job("{job}"),
    log:
        f"{LOGS}/train/{{job}}.log",
    benchmark:
        f"{BENCHMARKS}/train/{{job}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: PLAN.scale.threads
    resources:
        gpu=gpus(),
    params:
        signature=lambda w: PLAN.jobs[w.job].signature,
        retrain=lambda w: PLAN.retrain(w.job),
    script:
        "../scripts/train.py"
