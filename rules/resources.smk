# What jobs ask for: memory by the figures of drizzleflow.plan.figures, and time.
from drizzleflow.plan import figures


def memory(figure, product=None):
    """mem_mb of a rule: by a figure, or by a peak in MiB that does not depend on the product.

    `product`: where the rule is of one product, and its jobs have no wildcards.
    """

    def mem_mb(wildcards, input, attempt):
        name = product or wildcards.product
        peak = figure(GOOD[name], wildcards, input) if callable(figure) else figure
        return figures.asked(peak, attempt, engines())

    return mem_mb


def engines():
    """snakemake processes that are alive in a cluster's job beside the script."""
    if workflow.local_exec:
        return 0
    if workflow.executor_plugin.name != "slurm":
        return 1
    # one in the job, one in its step; the tasks of an array have one more, which finds the task's command
    return 3 if workflow.executor_settings.array_jobs else 2


def by_input(wildcards, input):
    """runtime of a job that reads its inputs once."""
    return figures.minutes(input.size_mb * 1e5)


def by_pixels(wildcards):
    """runtime of a job that goes through all pixels of a product."""
    return figures.minutes(GOOD[wildcards.product].total_pixels)


def spare_local_runs_the_rate_limit():
    """Take Snakemake's limit on jobs a second from a run on this machine.

    It is meant for submissions to a cluster. While jobs run it wakes the scheduler every second to look at all jobs
    that are ready, once for each time that it was woken before: docs/snakemake_rate_limit.md.
    """
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
