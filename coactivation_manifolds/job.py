"""The frame around one workflow job: its log file, and errors as one line in place of a traceback."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coactivation_manifolds.errors import CoactivationError

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def keep_earlier_log(log: Path) -> None:
    """Move a log left by an earlier attempt to ``<name>.1``, ``.2``, ...: Snakemake deletes only the declared name."""
    if log.exists() and log.stat().st_size:
        number = 1
        while log.with_name(f"{log.name}.{number}").exists():
            number += 1
        log.rename(log.with_name(f"{log.name}.{number}"))


@contextmanager
def job(log: str | os.PathLike[str]) -> Iterator[logging.Logger]:
    """Run one job: log to the file and to stderr; end on our own errors with one line and exit status 1.

    Parameters
    ----------
    log
        The job's log file; made anew, an earlier one is kept beside it.

    Raises
    ------
    SystemExit
        With status 1, after the message of a ``CoactivationError`` was written to log and terminal.
        Other exceptions pass through with their traceback: they are defects of ours.

    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    keep_earlier_log(path)
    logger = logging.getLogger("coactivation_manifolds")
    logger.setLevel(logging.INFO)
    file_handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    file_handler.setFormatter(logging.Formatter(FORMAT))
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter("%(message)s"))
    terminal.setLevel(logging.WARNING)
    handlers = [file_handler, terminal]
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield logger
    except CoactivationError as error:
        logger.error("error: %s", " ".join(str(error).split()))
        sys.exit(1)
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
