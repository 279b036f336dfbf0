"""Reading one YAML file strictly: the line of every key is kept, and what a person can't have meant is refused.

Imported by the Snakefile in every job, so nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from coactivation_manifolds.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_NODES = 20_000
MAX_DEPTH = 40
MAX_DIGITS = 100
"""Characters of a number: Python refuses to write longer ones, and they overflow every other type."""

MERGE_TAG = "tag:yaml.org,2002:merge"

NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

Keys = tuple[str, ...]
Lines = dict[Keys, tuple[Path, int]]


@dataclass(frozen=True)
class YamlFile:
    """One file's content and, for every path of keys, the file and line (from 1) where it stands."""

    content: dict[str, Any]
    lines: Lines


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file that holds one mapping.

    Raises
    ------
    ConfigError
        Missing, not UTF-8, not YAML, not a mapping, a key given twice, a key that is no word, aliases that refer to
        themselves or blow up, numbers of hundreds of digits, or tags of other languages; the message names file and
        line.

    """
    text = read_text(path)
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        lines: Lines = {}
        if root is not None:
            LineVisitor(path, lines).visit(root, (), ())
        content = loader.construct_document(root) if root is not None else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ConfigError(f"{path}{line}: not YAML: {reason}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deep; an experiment file has three levels") from error
    except ValueError as error:  # e.g. the date 2024-99-99, which YAML's loader tries to build
        raise ConfigError(f"{path}: a value can't be read ({error}); put it in quotes") from error
    except (LookupError, AttributeError, TypeError, ArithmeticError) as error:  # YAML's loader, of "!!bool perhaps"
        raise ConfigError(f"{path}: a value can't be read: it does not fit its tag (!!); take the tag away") from error
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values, found {kind(content)}")
    return YamlFile(content, lines)


def read_text(path: Path) -> str:
    """The text of a settings file, of reasonable size.

    Raises
    ------
    ConfigError
        Missing, a folder, not readable, not UTF-8, or far too large.

    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES:,} bytes: it can't be a file of settings")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist; check the name") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path} is a folder; give the YAML file in it") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}; check its owner and mode") from error


class LineVisitor:
    """Walks the nodes of a YAML file, notes the line of each key, and stops at what is refused."""

    def __init__(self, path: Path, lines: Lines) -> None:
        self.path = path
        self.lines = lines
        self.n_nodes = 0

    def visit(self, node: yaml.Node, keys: Keys, ancestors: tuple[int, ...]) -> None:
        """Note the lines of everything below a node; an alias counts each time it is used."""
        self.n_nodes += 1
        if id(node) in ancestors:
            raise self.refused(node, "an alias (*) that contains itself")
        if self.n_nodes > MAX_NODES or len(ancestors) > MAX_DEPTH:
            raise self.refused(node, f"aliases or nesting that amount to more than {MAX_NODES:,} values")
        if isinstance(node, yaml.ScalarNode) and node.tag in NUMBER_TAGS and len(node.value) > MAX_DIGITS:
            raise self.refused(node, f"a number of {len(node.value):,} characters")
        if isinstance(node, yaml.MappingNode):
            self.visit_mapping(node, keys, (*ancestors, id(node)))
        elif isinstance(node, yaml.SequenceNode):
            for position, item in enumerate(node.value):
                here = (*keys, str(position))
                self.lines[here] = (self.path, item.start_mark.line + 1)
                self.visit(item, here, (*ancestors, id(node)))

    def visit_mapping(self, node: yaml.MappingNode, keys: Keys, ancestors: tuple[int, ...]) -> None:
        """The keys of one mapping; those brought by a merge (<<) come first, its own override them."""
        own = [(key, value) for key, value in node.value if key.tag != MERGE_TAG]
        for key, value in node.value:
            if key.tag == MERGE_TAG:
                for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    self.visit(part, keys, ancestors)
        seen: dict[str, int] = {}
        for key, value in own:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise self.refused(key, f'the key "{getattr(key, "value", "...")}", which is no word: put it in quotes')
            if key.value in seen:
                raise self.refused(
                    key, f'"{".".join((*keys, key.value))}" twice (first on line {seen[key.value]}): keep one of them'
                )
            seen[key.value] = line
            here = (*keys, key.value)
            self.lines[here] = (self.path, line)
            self.visit(value, here, ancestors)

    def refused(self, node: yaml.Node, what: str) -> ConfigError:
        """The error for something that is YAML but not a file of settings."""
        return ConfigError(f"{self.path}, line {node.start_mark.line + 1}: found {what}")


def kind(value: object) -> str:
    """What a YAML value is, in plain words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the text "{shortened(value)}"'
    if isinstance(value, int | float):
        return f"the number {shortened(str(value))}"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, dict):
        return "keys and values" if value else "no keys"
    return f"a {type(value).__name__}"


def shortened(text: str, length: int = 60) -> str:
    """A text on one line, cut where it is long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 3] + "..."
