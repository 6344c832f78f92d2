rule table:
    input:
        unpack(lambda w: dated(PLAN.inputs.artefact(artefact_of(w)).files)),
    output:
        md=f"{RESULTS}/tables/{{paper}}/{{name}}.md",
        csv=f"{RESULTS}/tables/{{paper}}/{{name}}.csv",
        tex=f"{RESULTS}/tables/{{paper}}/{{name}}.tex",
        html=report(
            f"{RESULTS}/tables/{{paper}}/{{name}}.html",
            caption="../report/table.rst",
            category=paper_of,
            subcategory="tables",
            labels=titled,
        ),
        json=f"{RESULTS}/tables/{{paper}}/{{name}}.json",
    log:
        f"{LOGS}/table/{{paper}}/{{name}}.log",
    benchmark:
        f"{BENCHMARKS}/table/{{paper}}/{{name}}.tsv"
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        planned=artefact_of,
        files=lambda w: PLAN.inputs.artefact(artefact_of(w)),
        signature=lambda w: PLAN.signatures.artefact(artefact_of(w)),
    script:
        "../scripts/table.py"


rule figure:
    input:
        unpack(lambda w: dated(PLAN.inputs.artefact(artefact_of(w)).files)),
    output:
        pdf=f"{RESULTS}/figures/{{paper}}/{{name}}.pdf",
        svg=f"{RESULTS}/figures/{{paper}}/{{name}}.svg",
        csv=f"{RESULTS}/figures/{{paper}}/{{name}}.csv",
        json=f"{RESULTS}/figures/{{paper}}/{{name}}.json",
        png=report(
            f"{RESULTS}/figures/{{paper}}/{{name}}.png",
            caption="../report/figure.rst",
            category=paper_of,
            subcategory="figures",
            labels=titled,
        ),
    log:
        f"{LOGS}/figure/{{paper}}/{{name}}.log",
    benchmark:
        f"{BENCHMARKS}/figure/{{paper}}/{{name}}.tsv"
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        planned=artefact_of,
        files=lambda w: PLAN.inputs.artefact(artefact_of(w)),
        signature=lambda w: PLAN.signatures.artefact(artefact_of(w)),
    script:
        "../scripts/figure.py"


rule runs_csv:
    input:
        PLAN.inputs.jobs(*PLAN.selected),
    output:
        report(
            PATHS.runs_csv,
            caption="../report/runs.rst",
            category="All papers",
            labels={"id": "runs", "title": "Every evaluation of every run, one a row"},
        ),
    log:
        f"{LOGS}/runs_csv.log",
    benchmark:
        f"{BENCHMARKS}/runs_csv.tsv"
    localrule: True
    conda:
        "../../envs/artefacts.yaml"
    params:
        listed=lambda w: PLAN.inputs.listed,
        signature=lambda w: PLAN.signatures.runs_csv,
    script:
        "../scripts/runs_csv.py"


rule index:
    input:
        artefacts=PLAN.files(PLAN.selected, ["json"]),
        runs=PATHS.runs_csv,
        jobs=PLAN.inputs.jobs(*PLAN.selected),
        verdicts=PLAN.verdicts,
    output:
        index=PATHS.index,
        document=report(
            PATHS.document,
            caption="../report/document.rst",
            category="All papers",
            labels={"id": "document", "title": "Verdicts, tables and figures on one page"},
        ),
        pages=directory(PATHS.pages),
    log:
        f"{LOGS}/index.log",
    benchmark:
        f"{BENCHMARKS}/index.tsv"
    localrule: True
    conda:
        "../../envs/artefacts.yaml"
    params:
        scale=lambda w: PLAN.scale,
        configuration=lambda w: PLAN.config,
        listed=lambda w: PLAN.inputs.listed,
        logs=lambda w: training_logs(),
        signature=lambda w: PLAN.signatures.index,
    script:
        "../scripts/index.py"


rule pdf:
    input:
        PATHS.document,
    output:
        PATHS.pdf,
    log:
        f"{LOGS}/pdf.log",
    benchmark:
        f"{BENCHMARKS}/pdf.tsv"
    localrule: True
    conda:
        "../../envs/artefacts.yaml"
    script:
        "../scripts/pdf.py"


rule judge:
    input:
        unpack(lambda w: PLAN.inputs.verdicts(w.paper).files),
    output:
        multiext(f"{RESULTS}/verdicts/{{paper}}", ".json", ".md", ".csv"),
    log:
        f"{LOGS}/judge/{{paper}}.log",
    benchmark:
        f"{BENCHMARKS}/judge/{{paper}}.tsv"
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        claimed=lambda w: PLAN.inputs.verdicts(w.paper),
        signature=lambda w: PLAN.signatures.verdicts(w.paper),
    script:
        "../scripts/judge.py"


rule verdicts:
    input:
        PLAN.verdicts,
