rule prepare:
    output:
        split=PATHS.split("{dataset}"),
        manifest=PATHS.manifest("{dataset}"),
    log:
        f"{LOGS}/prepare/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/prepare/{{dataset}}.tsv"
    priority: 1  # or sentences would be compared with an old split that is about to be made anew
    localrule: True
    conda:
        "../../envs/train.yaml"
    resources:
        downloads=1,
    params:
        raw=lambda w: PATHS.raw(w.dataset),
        seed=PLAN.scale.world_seed,
        named=lambda w: PLAN.inputs.named(w.dataset),
        signature=lambda w: PLAN.signatures.dataset(w.dataset),
        found=lambda w: PLAN.signatures.raw(w.dataset),
    script:
        "../scripts/prepare.py"


rule cache:
    input:
        split=PATHS.split("{dataset}"),
        manifest=PATHS.manifest("{dataset}"),
    output:
        PATHS.cache("{dataset}", "{part}", "{fit}", "{size}"),
    log:
        f"{LOGS}/cache/{{dataset}}/{{part}}-{{fit}}-{{size}}.log",
    benchmark:
        f"{BENCHMARKS}/cache/{{dataset}}/{{part}}-{{fit}}-{{size}}.tsv"
    priority: 1  # or the longest training may wait for it
    conda:
        "../../envs/train.yaml"
    resources:
        cpus_per_task=PLAN.scale.threads,
        mem_mb=lambda w, attempt: memory_mb(attempt),
        runtime=lambda w, attempt: minutes(cache_seconds(PLAN, w.dataset, cache_of(w)), attempt),
    params:
        draws=lambda w: PLAN.inputs.draws(w.dataset, cache_of(w)),
        numerics=NUMERICS,
    script:
        "../scripts/cache.py"


rule fetch:
    input:
        fetched_files(PLAN, PLAN.selected),
