rule search:
    input:
        unpack(lambda w: dated(PLAN.inputs.search(w.dataset, w.backbone, w.search).files)),
    output:
        PATHS.search_result("{dataset}", "{backbone}", "{search}"),
    log:
        f"{LOGS}/search/{{dataset}}/{{backbone}}/{{search}}.log",
    benchmark:
        f"{BENCHMARKS}/search/{{dataset}}/{{backbone}}/{{search}}.tsv"
    priority: 1  # trainings wait for it
    conda:
        "../../envs/train.yaml"
    threads: PLAN.scale.threads
    resources:
        gpu=gpus(),
        cpus_per_task=PLAN.scale.threads,
        mem_mb=lambda w, attempt: memory_mb(attempt, originals=True),
        runtime=lambda w, attempt: minutes(search_seconds(PLAN, w.dataset, w.backbone, w.search), attempt),
    params:
        job=lambda w: PLAN.inputs.search(w.dataset, w.backbone, w.search),
        device=PLAN.device,
        signature=lambda w: PLAN.signatures.search(w.dataset, w.backbone, w.search),
    script:
        "../scripts/search.py"
