rule fetch_attributes:
    output:
        f"{PATHS.data_root}/attributes/{{source}}/{{dataset}}_{{kind}}.json",
    log:
        f"{LOGS}/fetch_attributes/{{source}}/{{dataset}}_{{kind}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_attributes/{{source}}/{{dataset}}_{{kind}}.tsv"
    wildcard_constraints:
        kind="des|dist",
    localrule: True
    conda:
        "../../envs/train.yaml"
    resources:
        downloads=1,
    params:
        named=lambda w: PLAN.inputs.named(w.dataset),
    script:
        "../scripts/fetch_attributes.py"


rule describe:
    input:
        unpack(lambda w: dated(PLAN.inputs.describe(w.source, w.dataset, w.kind).files)),
    output:
        sentences=f"{PATHS.asked('{source}')}/{{dataset}}_{{kind}}.json",
        record=f"{PATHS.asked('{source}')}/{{dataset}}_{{kind}}.record.json",
    log:
        f"{LOGS}/describe/{{source}}/{{dataset}}_{{kind}}.log",
    benchmark:
        f"{BENCHMARKS}/describe/{{source}}/{{dataset}}_{{kind}}.tsv"
    wildcard_constraints:
        kind="des|dist",
    priority: 1  # before anything trains for long
    localrule: True
    conda:
        "../../envs/train.yaml"
    resources:
        llm=1,
    params:
        job=lambda w: PLAN.inputs.describe(w.source, w.dataset, w.kind),
        signature=lambda w: PLAN.signatures.asking(w.source, "describe"),
    script:
        "../scripts/describe.py"


rule bases:
    input:
        unpack(lambda w: dated(PLAN.inputs.bases(w.source, w.dataset).files)),
    output:
        bases=f"{PATHS.asked('{source}')}/{{dataset}}_bases.json",
        record=f"{PATHS.asked('{source}')}/{{dataset}}_bases.record.json",
    log:
        f"{LOGS}/bases/{{source}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/bases/{{source}}/{{dataset}}.tsv"
    priority: 1  # before anything trains for long
    localrule: True
    conda:
        "../../envs/train.yaml"
    resources:
        llm=1,
    params:
        job=lambda w: PLAN.inputs.bases(w.source, w.dataset),
        signature=lambda w: PLAN.signatures.asking(w.source, "name_bases"),
    script:
        "../scripts/bases.py"


rule generate:
    input:
        [each.path for each in asked(PLAN, PLAN.selected)],
