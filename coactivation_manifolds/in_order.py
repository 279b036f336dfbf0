"""Calls made one after the other in a thread of their own, while the caller goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

Result = TypeVar("Result")


class InOrder(Generic[Result]):
    """A thread that does what is submitted, in that order; a context manager, which ends with the last call.

    After a call has failed none is begun. Its error is raised to the caller, as it is, by the next ``submit`` that
    notices, or by ``results``.

    Parameters
    ----------
    unfinished
        Calls that may wait or run at once; ``submit`` waits for room.

    """

    def __init__(self, *, unfinished: int) -> None:
        self._most = unfinished
        self._calls: deque[Future[Result]] = deque()
        self._results: list[Result] = []
        self._failed = False
        self._thread = ThreadPoolExecutor(max_workers=1)

    def __enter__(self) -> InOrder[Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # what was submitted before the caller's own error is still done
        self._thread.shutdown(wait=True)

    def submit(self, call: Callable[[], Result]) -> None:
        """Have a call made after those before it."""
        while self._calls and (len(self._calls) >= self._most or self._calls[0].done()):
            self._results.append(self._calls.popleft().result())
        self._calls.append(self._thread.submit(self._make, call))

    def results(self) -> list[Result]:
        """Wait for all calls; what they returned, in order."""
        while self._calls:
            self._results.append(self._calls.popleft().result())
        return self._results

    def _make(self, call: Callable[[], Result]) -> Result:
        """Make one call, unless an earlier one failed."""
        if self._failed:
            raise RuntimeError("an earlier call failed")
        try:
            return call()
        except BaseException:
            self._failed = True
            raise
