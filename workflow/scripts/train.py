from pathlib import Path

from papertables.data.catalog import dataset
from papertables.planning.plan import make_plan
from papertables.scripting import root, script
from papertables.training.job import Elsewhere, train_job

with script(snakemake.log[0]):
    plan = make_plan(root(snakemake), snakemake.config)
    job = plan.jobs[snakemake.wildcards.job]
    attributes, others = plan.attribute_files(job.dataset, job.backbone), plan.target_datasets(job)
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
        elsewhere=Elsewhere(
            targets=plan.elsewhere(job),
            encoded={name: Path(plan.paths.encoded(name, job.backbone)) for name in others},
            manifests={name: Path(plan.paths.manifest(name)) for name in others},
            images={name: Path(path) for name, path in plan.target_caches(job).items()},
        ),
        searched={run: Path(path) for run, path in plan.searched_for(job).items()},
    )
