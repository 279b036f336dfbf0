"""Processor seconds of the stages of a call, by putting a clock round the functions that it calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any


class StageClock:
    """Adds up processor seconds by stage, ``seconds``; a stage within another counts for the outer one alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside = False

    def watch(self, module: Any, stages: Mapping[str, str]) -> None:
        """Put a clock round functions of a module: the name of each, and the stage that it counts for."""
        for name, stage in stages.items():
            setattr(module, name, self._timed(getattr(module, name), stage))

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            if self._inside:
                return function(*arguments, **options)
            self._inside = True
            begin = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - begin
                self._inside = False

        return timed
