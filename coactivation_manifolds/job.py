"""The frame around one workflow job: its log file, and errors as one line in place of a traceback."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from coactivation_manifolds.disk_errors import AFTER_DISK_FAILURE, is_disk_failure, is_disk_full, is_forbidden
from coactivation_manifolds.errors import CoactivationError, StorageError, one_line
from coactivation_manifolds.provenance import WorkflowJob, check_inputs, write_provenance

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def keep_earlier_log(log: Path) -> None:
    """Move a log left by an earlier attempt to ``<name>.1``, ``.2``, ...: Snakemake deletes only the declared name."""
    if log.exists() and log.stat().st_size:
        number = 1
        while log.with_name(f"{log.name}.{number}").exists():
            number += 1
        log.rename(log.with_name(f"{log.name}.{number}"))


class QuietFileHandler(logging.FileHandler):
    """A log file that a full disk can't turn into a traceback: what it can't hold is still on the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name is logging's)
        """Drop the line."""

    def close(self) -> None:
        """Close, also where the last lines can't be flushed."""
        with suppress(OSError):
            super().close()


def open_log(path: Path) -> logging.FileHandler:
    """The log of one job, an earlier attempt's kept beside it.

    Raises
    ------
    StorageError
        The log can't be written.

    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        keep_earlier_log(path)
        handler = QuietFileHandler(path, mode="w", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"can't write the log {path}: {error.strerror}; check the disk, and the owner and mode of its folder"
        ) from error
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


def about_the_machine(error: BaseException) -> str | None:
    """One line for an error of the machine that no file's own check has caught; None where it is a defect of ours."""
    if isinstance(error, MemoryError):
        return (
            f"out of memory ({str(error) or 'no size given'}): give the job more memory (mem_mb of its rule), or make "
            "shards or batches smaller"
        )
    if isinstance(error, OSError) and is_disk_full(error):
        where = f" while writing {error.filename}" if error.filename else ""
        return (
            f"no space left on the disk{where}: free some space and run the same command again; finished files are kept"
        )
    if isinstance(error, OSError) and is_forbidden(error):
        return f"{error.strerror}: {error.filename}; check the owner and mode of the file and its folder"
    if isinstance(error, OSError) and is_disk_failure(error):
        return f"{error.strerror}: {error.filename or 'the disk'}; {AFTER_DISK_FAILURE}"
    return None


@contextmanager
def job(of: WorkflowJob | str | os.PathLike[str]) -> Iterator[logging.Logger]:
    """Run one job: log to the file and to stderr; check before it begins that what it reads is what was written; end on
    our own errors with one line and exit status 1, and after success record in ``provenance/`` when, where and with
    what it ran, and the hashes of what it read and wrote.

    Parameters
    ----------
    of
        The ``snakemake`` object of a script, or a log file alone: then inputs and outputs are not recorded. The log is
        made anew, an earlier one is kept beside it.

    Raises
    ------
    SystemExit
        With status 1, after the message of a ``CoactivationError``, or of a full or failing disk, a missing permission
        or a lack of memory, was written to log and terminal. Other exceptions pass through with their traceback: they
        are defects of ours.

    """
    made_by = None if isinstance(of, str | os.PathLike) else of
    log = of if isinstance(of, str | os.PathLike) else of.log[0]
    logger = logging.getLogger("coactivation_manifolds")
    logger.setLevel(logging.INFO)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter("%(message)s"))
    terminal.setLevel(logging.WARNING)
    handlers: list[logging.Handler] = [terminal]
    logger.addHandler(terminal)
    started = datetime.now(UTC)
    try:
        handlers.append(open_log(Path(log)))
        logger.addHandler(handlers[-1])
        read = None if made_by is None else check_inputs(made_by)
        yield logger
        write_provenance(log, started=started, made_by=made_by, read=read)
    except CoactivationError as error:
        logger.error("error: %s", one_line(error))
        sys.exit(1)
    except (OSError, MemoryError) as error:
        message = about_the_machine(error)
        if message is None:
            raise
        logger.error("error: %s", one_line(message))
        sys.exit(1)
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
