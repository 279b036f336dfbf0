"""Progress of a harvest: a bar on a terminal, plain lines in the log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from tqdm import tqdm

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0


def duration(seconds: float) -> str:
    """Seconds as a person reads them: ``48 s``, ``12 min 05 s``, ``3 h 20 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Counts tokens and entries; shows tokens per second, time left and mean L0.

    Parameters
    ----------
    total
        Tokens of the whole work.
    label
        What is worked on, e.g. ``shard 3``.
    done
        Tokens done by an earlier attempt; they count for the share done, not for the speed.
    stream
        Where a bar is drawn, if it is a terminal.
    clock
        Seconds from any start, rising.

    """

    def __init__(
        self,
        total: int,
        *,
        label: str,
        done: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.label = label
        self.done = done
        self.tokens = self.rows = self.entries = 0
        self._clock = clock
        self._start = self._last_line = clock()
        stream = stream if stream is not None else sys.stderr
        self._bar = (
            tqdm(total=total, initial=done, desc=label, unit=" tokens", unit_scale=True, file=stream)
            if stream.isatty()
            else None
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        if kind is None:
            logger.info("%s", self.line())

    def update(self, *, tokens: int, rows: int, entries: int) -> None:
        """Add a batch: tokens read, rows kept of them, and entries (firing latents) on these rows."""
        self.tokens += tokens
        self.rows += rows
        self.entries += entries
        if self._bar is not None:
            self._bar.set_postfix_str(f"L0 {self.mean_l0:.1f}", refresh=False)
            self._bar.update(tokens)
        now = self._clock()
        if now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            logger.info("%s", self.line())

    @property
    def mean_l0(self) -> float:
        """Latents firing on a token, on average over this attempt."""
        return self.entries / self.rows if self.rows else 0.0

    def line(self) -> str:
        """Where the work stands, in one line."""
        elapsed = self._clock() - self._start
        speed = self.tokens / elapsed if elapsed > 0 else 0.0
        done = self.done + self.tokens
        share = 100 * done / self.total if self.total else 100.0
        left = f", {duration((self.total - done) / speed)} left" if speed > 0 and done < self.total else ""
        return (
            f"{self.label}: {done:,} of {self.total:,} tokens ({share:.1f} %), {speed:,.0f} tokens/s{left}, "
            f"L0 {self.mean_l0:.1f}"
        )
