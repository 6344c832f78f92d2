from pathlib import Path

from papertables.data.catalog import dataset
from papertables.jobs import train_job
from papertables.plan import make_plan
from papertables.scripting import root, script

with script(snakemake.log[0]):
    plan = make_plan(root(snakemake), snakemake.config)
    job = plan.jobs[snakemake.wildcards.job]
    attributes = plan.attribute_files(job.dataset, job.backbone)
    train_job(
        job.runs,
        Path(snakemake.output[0]),
        runs=Path(plan.paths.runs),
        dataset=Path(snakemake.input.split).parent,
        caches={key: Path(path) for key, path in plan.caches(job).items()},
        encoded=Path(snakemake.input.encoded),
        backbone=job.backbone,
        weights=Path(snakemake.input.weights),
        attributes={source: (Path(des), Path(dist)) for source, (des, dist) in attributes.items()},
        template=dataset(job.dataset).template,
        checkpoints=Path(plan.paths.checkpoints),
        device=plan.device,
        threads=snakemake.threads,
        retrain=plan.config.retrain,
        checkpoint_seconds=plan.config.checkpoint_seconds,
    )
