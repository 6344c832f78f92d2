rule train:
    input:
        unpack(lambda w: dated(PLAN.inputs.train(w.job).files)),
    output:
        PATHS.job("{job}"),
    log:
        f"{LOGS}/train/{{job}}.log",
    benchmark:
        f"{BENCHMARKS}/train/{{job}}.tsv"
    priority: lambda w: PLAN.priority(w.job)  # the longest first
    conda:
        "../../envs/train.yaml"
    threads: PLAN.scale.threads
    resources:
        gpu=gpus(),
        cpus_per_task=PLAN.scale.threads,
        mem_mb=lambda w, attempt: memory_mb(attempt, originals=True),
        runtime=lambda w, attempt: minutes(train_seconds(PLAN, w.job), attempt),
    params:
        job=lambda w: PLAN.inputs.train(w.job),
        training=PLAN.inputs.training,
        signature=lambda w: PLAN.signatures.train(PLAN.jobs[w.job]),
        retrain=lambda w: PLAN.signatures.retrain(w.job),
        lost=lambda w: PLAN.signatures.lost(w.job),
    script:
        "../scripts/train.py"


rule inspect:
    input:
        unpack(lambda w: dated(PLAN.inputs.inspect(run_of(w), w.part).files)),
    output:
        PATHS.inspection("{dataset}/{backbone}/{run}", "{selection}", "{part}"),
    log:
        f"{LOGS}/inspect/{{part}}/{{selection}}/{{dataset}}/{{backbone}}/{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/inspect/{{part}}/{{selection}}/{{dataset}}/{{backbone}}/{{run}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: PLAN.scale.threads
    resources:
        gpu=gpus(),
        cpus_per_task=PLAN.scale.threads,
        mem_mb=lambda w, attempt: memory_mb(attempt),
        runtime=lambda w, attempt: minutes(inspect_seconds(PLAN, run_of(w), w.part), attempt),
    params:
        job=lambda w: PLAN.inputs.inspect(run_of(w), w.part),
        store=PATHS.runs,
        device=PLAN.device,
        signature=lambda w: PLAN.signatures.inspect(run_of(w), w.part),
    script:
        "../scripts/inspect.py"
