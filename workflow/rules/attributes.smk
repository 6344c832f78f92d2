rule fetch_attributes:
    output:
        f"{PATHS.data_root}/attributes/{{source}}/{{dataset}}_{{kind}}.json",
    log:
        f"{LOGS}/fetch_attributes/{{source}}/{{dataset}}_{{kind}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_attributes/{{source}}/{{dataset}}_{{kind}}.tsv"
    wildcard_constraints:
        kind="des|dist",
    conda:
        "../../envs/train.yaml"
    params:
        named=lambda w: PLAN.inputs.named(w.dataset),
    script:
        "../scripts/fetch_attributes.py"
