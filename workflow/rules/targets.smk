localrules:
    configured,
    plan,


rule configured:
    default_target: True
    input:
        PLAN.tables(PLAN.selected),
        PATHS.runs_csv,
        PATHS.index,


rule plan:
    log:
        f"{LOGS}/plan.log",
    benchmark:
        f"{BENCHMARKS}/plan.tsv"
    conda:
        "../../envs/artefacts.yaml"
    script:
        "../scripts/plan.py"


for _id in PLAN.artefacts:

    rule:
        name:
            _id
        input:
            PLAN.tables([_id]),


for _paper in PLAN.project.papers:

    rule:
        name:
            _paper
        input:
            PLAN.tables(id for id, planned in PLAN.artefacts.items() if planned.paper.id == _paper),
