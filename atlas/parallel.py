"""Independent pieces of work in processes side by side; what comes out does not depend on how many there are."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from typing import Any

from reconstruction.processes import process_pool

MOST = 4  # every process holds a model and a detector or a renderer, about 0.7 GB


def run_all(
    work: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Any]:
    """Call ``work(*job)`` for every job, in no particular order; the first error ends it and is raised.

    Returns what the calls returned, in the jobs' order.

    work : a function of a module, so that other processes find it
    workers : processes; as many as there are processors, four at most, by default. One: in this process
    progress : called with (jobs done, jobs)
    """
    workers = min(workers or min(len(os.sched_getaffinity(0)), MOST), len(jobs))
    if workers <= 1:
        results = []
        for job in jobs:
            results.append(work(*job))
            if progress:
                progress(len(results), len(jobs))
        return results
    pool = process_pool(workers)
    try:
        running = [pool.submit(work, *job) for job in jobs]
        for done, finished in enumerate(as_completed(running), start=1):
            finished.result()
            if progress:
                progress(done, len(jobs))
        return [task.result() for task in running]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
