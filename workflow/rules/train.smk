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
        source_labels=lambda w: PLAN.uses_source_labels(w.dataset, w.backbone),
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
        signature=lambda w: PLAN.signature(PLAN.jobs[w.job]),
        retrain=lambda w: PLAN.retrain(w.job),
    script:
        "../scripts/train.py"


rule embed:
    input:
        unpack(embed_input),
    output:
        PATHS.embedded("{dataset}/{backbone}/{run}", "{selection}"),
    log:
        f"{LOGS}/embed/{{selection}}/{{dataset}}/{{backbone}}/{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/embed/{{selection}}/{{dataset}}/{{backbone}}/{{run}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: PLAN.scale.threads
    resources:
        gpu=gpus(),
    params:
        signature=PLAN.embedding_signature(),
    script:
        "../scripts/embed.py"
