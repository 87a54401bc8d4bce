# What a run on a cluster needs beside its profile. The functions are called when a run starts: docs/clusters.md.
import asyncio

from snakemake.scheduling.job_scheduler import JobScheduler

from drizzleflow.jobs import refusal

if not workflow.is_main_process:
    # a process that starts one job on a node would outlive it by a second: docs/snakemake_rate_limit.md
    JobScheduler._schedule_reevalutation = lambda scheduler, delay: None


def retry_what_may_help():
    """Spare a job whose input is wrong the further attempts that Snakemake makes of every job that fails."""
    scheduler = workflow.scheduler
    handle = scheduler._handle_error

    def handle_error(job, *given, **named):
        if job.is_group() or not any(map(refusal.told, job.log)):
            return handle(job, *given, **named)
        retries, job.rule.restart_times = job.rule._restart_times, 0
        try:
            handle(job, *given, **named)
        finally:
            job.rule.restart_times = retries

    scheduler._handle_error = handle_error


def on_slurm():
    return not workflow.local_exec and workflow.executor_plugin.name == "slurm"


def look_at_the_queue():
    """Let the pauses between looks at Slurm's queue grow from seconds to minutes.

    The plugin (2.8.0) adds 10 s for each look that finds no job ended: one that takes a second longer than the first
    pause is seen two pauses and 10 s after its start, at each level of the workflow.
    """
    if not on_slurm():
        return
    executor = workflow.scheduler._executor
    first = workflow.executor_settings.init_seconds_before_status_checks

    async def sleep():
        looks = (executor.next_seconds_between_status_checks - first) / 10  # in vain
        await asyncio.sleep(first + looks**2 / 2)

    executor.sleep = sleep


FEW = 8  # ready jobs are submitted one by one, since the tasks of an array start a snakemake process more


def submit_arrays():
    """Give Slurm the ready jobs of a rule as arrays of at most --slurm-array-limit tasks.

    The plugin (2.8.0) alone would ask for every task what the first one needs, would never submit some jobs of a rule
    that has more ready than --jobs, and would number the tasks of a large rule beyond what Slurm allows.
    """
    if not on_slurm() or not workflow.executor_settings.array_jobs:
        return
    executor = workflow.scheduler._executor
    submit = executor.run_jobs

    def run_jobs(jobs):
        arrays = {}
        for job in jobs:
            called = CALLED.get(job.rule.name, job.rule.name)  # batches are rules of their own
            if job.is_group() or executor.array_jobs.isdisjoint({"all", called}):
                submit([job])
            else:  # tried as often: the further attempts ask for more memory
                arrays.setdefault((called, job.attempt), []).append(job)
        for ready in arrays.values():
            size = executor.max_array_size if len(ready) > FEW else 1
            for start in range(0, len(ready), size):
                submit_array(ready[start : start + size])

    def submit_array(tasks):
        if len(tasks) == 1:
            executor._submit_job(tasks[0])
            return
        for name in ("mem_mb", "runtime"):
            setattr(tasks[0].resources, name, max(task.resources.get(name) for task in tasks))
        executor._submit_array_jobs(tasks)

    executor.run_jobs = run_jobs
    workflow.scheduler.job_rate_limiter = None  # arrays are few submissions: docs/snakemake_rate_limit.md
