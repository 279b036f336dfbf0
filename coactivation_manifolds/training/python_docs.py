"""Real text that every environment has: the documentation strings of the standard library and installed packages.

Source files are parsed, never imported or run.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import logging
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from coactivation_manifolds.errors import InputError

log = logging.getLogger(__name__)
STANDARD_LIBRARY = "stdlib"


def library_paths() -> dict[str, str]:
    """Where this environment keeps the standard library and installed packages, by sysconfig's names."""
    return sysconfig.get_paths()


def package_folder(package: str) -> Path:
    """The folder of a package's sources; ``stdlib`` is the standard library.

    Raises
    ------
    InputError
        The package is not installed.

    """
    paths = library_paths()
    if package == STANDARD_LIBRARY:
        return Path(paths["stdlib"])
    for place in (paths["purelib"], paths["platlib"]):
        folder = Path(place) / package
        if folder.is_dir():
            return folder
    raise InputError(
        f"training.python_docs.packages: {package} is not installed in this environment ({paths['purelib']}): "
        "install it or take it from the list"
    )


def source_files(folder: Path) -> list[Path]:
    """All Python files below a folder, sorted by path, without packages installed inside the standard library's."""
    files = (path for path in folder.rglob("*.py") if not {"site-packages", "dist-packages"} & set(path.parts[:-1]))
    inside = "site-packages" in folder.parts
    found = folder.rglob("*.py") if inside else files
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def file_docstrings(source: str) -> Iterator[str]:
    """The documentation strings of a module, its classes and functions, indentation cleaned, in source order.

    Sources that Python can't parse give none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's sources
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, kinds):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                found.append((getattr(node, "lineno", 0), inspect.cleandoc(text)))
    for _, text in sorted(found, key=lambda item: item[0]):
        yield text


def collect_docstrings(packages: Sequence[str], *, min_characters: int) -> list[str]:
    """The documentation strings of packages, without exact repeats, in a fixed order.

    Parameters
    ----------
    packages
        Names of folders among the installed packages, or ``stdlib``.
    min_characters
        Shorter strings are left out.

    """
    texts: dict[str, None] = {}
    for package in packages:
        before = len(texts)
        folder = package_folder(package)
        for path in source_files(folder):
            source = path.read_text(encoding="utf-8", errors="replace")
            for text in file_docstrings(source):
                if len(text) >= min_characters:
                    texts[text.encode("utf-8", "replace").decode("utf-8")] = None
        log.info("%s: %d documentation strings", package, len(texts) - before)
    return list(texts)


def split_documents(texts: Sequence[str], *, harvest_characters: int, seed: int) -> tuple[list[str], list[str]]:
    """Shuffle documents by the hash of their text and the seed, and split off the first ones for the harvest.

    A document's place depends on its own text only, so that one more package moves few others.

    Returns
    -------
    training, harvest
        ``harvest`` has at least ``harvest_characters`` characters.

    Raises
    ------
    InputError
        Fewer characters than asked for, or nothing left to train on.

    """
    order = sorted(texts, key=lambda text: hashlib.sha256(f"{seed}\n{text}".encode()).digest())
    ends = np.cumsum([len(text) for text in order]) if order else np.zeros(0, dtype=np.int64)
    n_harvest = int(np.searchsorted(ends, harvest_characters)) + 1
    if n_harvest >= len(order):
        raise InputError(
            f"training.python_docs.harvest_characters = {harvest_characters} leaves nothing to train on: the packages "
            f"have {int(ends[-1]) if len(ends) else 0} characters; lower it or add packages"
        )
    return order[n_harvest:], order[:n_harvest]
