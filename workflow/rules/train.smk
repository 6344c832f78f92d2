rule frozen_features:
    input:
        unpack(lambda w: dated(PLAN.inputs.frozen_features(w.dataset, w.backbone).files)),
    output:
        PATHS.frozen_features("{dataset}", "{backbone}"),
    log:
        f"{LOGS}/frozen_features/{{dataset}}/{{backbone}}.log",
    benchmark:
        f"{BENCHMARKS}/frozen_features/{{dataset}}/{{backbone}}.tsv"
    priority: 1  # or the longest training may wait for it
    conda:
        "../../envs/train.yaml"
    threads: PLAN.scale.threads
    resources:
        gpu=gpus(),
        cpus_per_task=PLAN.scale.threads,
        mem_mb=lambda w, attempt: memory_mb(attempt),
        runtime=lambda w, attempt: minutes(frozen_seconds(PLAN, w.dataset, w.backbone), attempt),
    params:
        job=lambda w: PLAN.inputs.frozen_features(w.dataset, w.backbone),
        device=PLAN.device,
        signature=lambda w: PLAN.signatures.frozen_features(w.dataset, w.backbone),
    script:
        "../scripts/frozen_features.py"


rule sentence_features:
    input:
        unpack(lambda w: dated(PLAN.inputs.sentence_features(w.dataset, w.backbone, w.source).files)),
    output:
        PATHS.sentence_features("{dataset}", "{backbone}", "{source}"),
    log:
        f"{LOGS}/sentence_features/{{dataset}}/{{backbone}}/{{source}}.log",
    benchmark:
        f"{BENCHMARKS}/sentence_features/{{dataset}}/{{backbone}}/{{source}}.tsv"
    priority: 1
    conda:
        "../../envs/train.yaml"
    threads: PLAN.scale.threads
    resources:
        gpu=gpus(),
        cpus_per_task=PLAN.scale.threads,
        mem_mb=lambda w, attempt: memory_mb(attempt),
        runtime=lambda w, attempt: minutes(0, attempt),
    params:
        job=lambda w: PLAN.inputs.sentence_features(w.dataset, w.backbone, w.source),
        device=PLAN.device,
        signature=lambda w: PLAN.signatures.sentence_features(w.dataset, w.backbone, w.source),
    script:
        "../scripts/sentence_features.py"


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


rule class_vectors:
    input:
        unpack(lambda w: dated(PLAN.inputs.class_vectors(run_of(w)).files)),
    output:
        PATHS.class_vectors("{dataset}/{backbone}/{run}"),
    log:
        f"{LOGS}/class_vectors/{{dataset}}/{{backbone}}/{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/class_vectors/{{dataset}}/{{backbone}}/{{run}}.tsv"
    priority: 1  # students wait for it
    conda:
        "../../envs/train.yaml"
    threads: PLAN.scale.threads
    resources:
        gpu=gpus(),
        cpus_per_task=PLAN.scale.threads,
        mem_mb=lambda w, attempt: memory_mb(attempt),
        runtime=lambda w, attempt: minutes(0, attempt),
    params:
        job=lambda w: PLAN.inputs.class_vectors(run_of(w)),
        store=PATHS.runs,
        device=PLAN.device,
        signature=lambda w: PLAN.signatures.class_vectors(run_of(w)),
    script:
        "../scripts/class_vectors.py"


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
