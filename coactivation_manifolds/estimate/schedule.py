"""How long the jobs of all stages take when some run at once."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from math import inf

from coactivation_manifolds.estimate.stages import Stage

Task = tuple[int, int]


def elapsed_seconds(
    stages: Sequence[Stage], seconds: Mapping[str, float], *, cores: float = inf, gpus: float = inf, jobs: float = inf
) -> tuple[float, dict[str, float]]:
    """Seconds until the last job ends, and the time at which each stage does.

    A job starts as soon as what it needs has ended and cores, GPUs and a place among the jobs are free; of several the
    one of the earliest stage, then of the lowest shard. A job that asks for more than there is takes all of it.

    Parameters
    ----------
    stages
        Each after those that it needs; what it needs and is not here counts as done.
    seconds
        Of one job of each stage.
    cores, gpus, jobs
        What there is.

    """
    numbers = {stage.name: number for number, stage in enumerate(stages)}
    whole: dict[int, list[int]] = {number: [] for number in numbers.values()}
    same_shard: dict[int, list[int]] = {number: [] for number in numbers.values()}
    waiting: dict[Task, int] = {}
    for number, stage in enumerate(stages):
        needed = [numbers[name] for name in stage.needs if name in numbers]
        for other in needed:
            pairwise = stage.per_shard and stages[other].per_shard
            (same_shard if pairwise else whole)[other].append(number)
        waiting |= {(number, shard): len(needed) for shard in range(stage.n_jobs)}
    left = [stage.n_jobs for stage in stages]
    ready = sorted(task for task, needed in waiting.items() if needed == 0)
    running: list[tuple[float, Task]] = []
    ended: dict[str, float] = {}
    now, free_cores, free_gpus, free_jobs = 0.0, cores, gpus, jobs

    def takes(number: int) -> tuple[float, float]:
        return min(stages[number].threads, cores), min(stages[number].gpus, gpus)

    while ready or running:
        kept = []
        while ready and free_jobs > 0 and free_cores > 0:
            task = heapq.heappop(ready)
            wanted = takes(task[0])
            if wanted[0] > free_cores or wanted[1] > free_gpus:
                kept.append(task)
                continue
            free_cores, free_gpus, free_jobs = free_cores - wanted[0], free_gpus - wanted[1], free_jobs - 1
            heapq.heappush(running, (now + seconds[stages[task[0]].name], task))
        for task in kept:
            heapq.heappush(ready, task)
        now, (number, shard) = heapq.heappop(running)
        wanted = takes(number)
        free_cores, free_gpus, free_jobs = free_cores + wanted[0], free_gpus + wanted[1], free_jobs + 1
        left[number] -= 1
        following = [(other, shard) for other in same_shard[number]]
        if left[number] == 0:
            ended[stages[number].name] = now
            following += [(other, k) for other in whole[number] for k in range(stages[other].n_jobs)]
        for task in following:
            waiting[task] -= 1
            if waiting[task] == 0:
                heapq.heappush(ready, task)
    return now, ended
