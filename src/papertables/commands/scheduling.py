"""How often Snakemake looks at its queue."""

import threading


def look_once_at_a_time() -> None:
    """Has Snakemake's scheduler wait for one timer, not for all that it began.

    Under a limit of submissions, which it always has, Snakemake (9.17 to 9.27) begins a timer whenever it looks at its
    queue, and every timer has it look again. A job that ends is one look more, so that after n jobs it looks n times in
    each span of the limit: after some hundreds a core is busy with nothing else."""
    from snakemake.scheduling.job_scheduler import JobScheduler

    def look_again(scheduler: JobScheduler, delay: float) -> None:
        def look() -> None:
            scheduler.timer = None
            scheduler._open_jobs.release()

        if getattr(scheduler, "timer", None) is None:
            scheduler.timer = threading.Timer(delay, look)
            scheduler.timer.daemon = True  # or it keeps the process that has nothing left to do
            scheduler.timer.start()

    JobScheduler._schedule_reevalutation = look_again
