rule prepare:
    output:
        split=PATHS.split("{dataset}"),
        manifest=PATHS.manifest("{dataset}"),
    log:
        f"{LOGS}/prepare/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/prepare/{{dataset}}.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        raw=PATHS.raw("{dataset}"),
        seed=PLAN.scale.world_seed,
        signature=lambda w: PLAN.dataset_signature(w.dataset),
    script:
        "../scripts/prepare.py"


rule cache:
    input:
        split=PATHS.split("{dataset}"),
        manifest=PATHS.manifest("{dataset}"),
    output:
        PATHS.cache("{dataset}", "{part}", "{size}"),
    log:
        f"{LOGS}/cache/{{dataset}}/{{part}}-{{size}}.log",
    benchmark:
        f"{BENCHMARKS}/cache/{{dataset}}/{{part}}-{{size}}.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        draws=lambda w: PLAN.draws(w.dataset, int(w.size)) if w.part == "train" else None,
    script:
        "../scripts/cache.py"
