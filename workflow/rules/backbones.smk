rule fetch_weights:
    output:
        f"{PATHS.data_root}/weights/{{file}}",
    log:
        f"{LOGS}/fetch_weights/{{file}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_weights/{{file}}.tsv"
    localrule: True
    conda:
        "../../envs/train.yaml"
    resources:
        downloads=1,
    script:
        "../scripts/fetch_weights.py"


rule pretrain_mini_backbone:
    output:
        weights=f"{PATHS.pretrained('{backbone}')}.safetensors",
        record=f"{PATHS.pretrained('{backbone}')}.json",
    log:
        f"{LOGS}/pretrain/{{backbone}}.log",
    benchmark:
        f"{BENCHMARKS}/pretrain/{{backbone}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: memory_mb(attempt),
        runtime=lambda w, attempt: minutes(2 * HOUR, attempt),
    params:
        steps={"steps": PLAN.config.pretrain_steps} if PLAN.config.pretrain_steps else {},
        signature=PLAN.signatures.pretrain,
    script:
        "../scripts/pretrain_mini.py"


rule pretrain_mini:
    input:
        expand(
            f"{PATHS.pretrained('{backbone}')}.safetensors",
            backbone=[id for id, entry in backbones().items() if entry.shipped],
        ),
