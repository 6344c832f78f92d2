rule search:
    input:
        unpack(search_input),
    output:
        PATHS.searched("{dataset}", "{backbone}", "{search}"),
    log:
        f"{LOGS}/search/{{dataset}}/{{backbone}}/{{search}}.log",
    benchmark:
        f"{BENCHMARKS}/search/{{dataset}}/{{backbone}}/{{search}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: PLAN.scale.threads
    resources:
        gpu=gpus(),
    params:
        signature=PLAN.search_signature(),
    script:
        "../scripts/search.py"
