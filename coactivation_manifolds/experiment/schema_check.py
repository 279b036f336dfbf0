"""Checking settings against the JSON schema, with messages in plain words.

Imported by the Snakefile in every job, so nothing heavy is imported here (jsonschema takes about 0.1 s).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from coactivation_manifolds.errors import ConfigError, nearest
from coactivation_manifolds.experiment.yaml_file import Keys, kind

SCHEMA_FILE = "experiment.schema.json"

PLAIN_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "keys and values",
    "null": "null",
}


def is_integer(_checker: object, value: object) -> bool:
    """Whole numbers only: neither 1.0 nor true."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(_checker: object, value: object) -> bool:
    """Finite numbers: neither nan, nor inf, nor true."""
    return is_integer(_checker, value) or (isinstance(value, float) and math.isfinite(value))


StrictValidator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": is_integer, "number": is_number}),
)


def load_schema(folder: Path) -> dict[str, Any]:
    """The JSON schema of experiment files.

    Raises
    ------
    ConfigError
        The file is missing or damaged.

    """
    path = folder / SCHEMA_FILE
    try:
        schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is missing or damaged ({error}); restore it from the repository") from error
    return schema


def settings_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of config.yaml: the experiments to build, and defaults of the keys of an experiment."""
    sections = {
        name: {key: value for key, value in section.items() if key != "required"}
        for name, section in schema["properties"].items()
        if name != "training"
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "experiments": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "defaults": {**schema, "properties": sections},
        },
        "required": ["experiments", "defaults"],
    }


def schema_problems(content: object, schema: Mapping[str, Any]) -> list[tuple[Keys, str]]:
    """Everything in which settings differ from the schema: path of keys and message, in the order of the keys."""
    errors = StrictValidator(schema).iter_errors(content)
    found = [problem for error in errors for problem in in_plain_words(error)]
    return sorted(found, key=lambda problem: problem[0])


def in_plain_words(error: ValidationError) -> Iterator[tuple[Keys, str]]:
    """One error of jsonschema as one or more problems."""
    keys = tuple(str(part) for part in error.absolute_path)
    value, rule, limit = error.instance, str(error.validator), error.validator_value
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, Mapping) else {}
    if rule == "additionalProperties":
        allowed = list(schema.get("properties", {}))
        for key in sorted(str(key) for key in value if key not in allowed):
            hint = nearest(key, allowed) or f"; known here: {', '.join(allowed)}"
            yield (*keys, key), f"unknown key{hint}"
    elif rule == "required":
        for key in limit:
            if key not in value:
                yield (*keys, key), "is missing"
    else:
        yield keys, sentence(rule, limit, value, schema)


def sentence(rule: str, limit: Any, value: object, schema: Mapping[str, Any]) -> str:
    """What is wrong with one value, in plain words."""
    found = f"found {kind(value)}"
    if rule == "type":
        return f"must be {expected_types(limit)}, {found}{writing_hint(limit, value)}"
    if rule == "enum":
        choices = [str(choice) for choice in limit if choice is not None]
        hint = nearest(value, choices) if isinstance(value, str) else ""
        return f"must be one of {', '.join(choices)}; {found}{hint}"
    if rule == "pattern":
        return f"{found}, which is not of the form: {schema.get('description', limit)}"
    plain = {
        "minimum": f"must be at least {limit}",
        "maximum": f"must be at most {limit}",
        "exclusiveMinimum": f"must be larger than {limit}",
        "exclusiveMaximum": f"must be smaller than {limit}",
        "minItems": f"must have at least {limit} {'entry' if limit == 1 else 'entries'}",
        "maxItems": f"must have at most {limit} {'entry' if limit == 1 else 'entries'}",
        "minLength": "must not be empty",
        "uniqueItems": "must not hold the same entry twice",
    }
    return f"{plain.get(rule, f'does not satisfy {rule}: {limit}')}, {found}"


def expected_types(types: str | list[str]) -> str:
    """Names of JSON types in plain words."""
    names = [PLAIN_TYPES[name] for name in ([types] if isinstance(types, str) else types)]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def writing_hint(types: str | list[str], value: object) -> str:
    """How a value must be written that YAML took for something else: ``1e6``, ``1.0``, ``no``, ``2024-01-01``."""
    wanted = [types] if isinstance(types, str) else types
    if "string" in wanted and value is not None and not isinstance(value, list | dict):
        return "; put it in quotes if it is meant as text"
    if not {"integer", "number"} & set(wanted) or isinstance(value, bool) or not isinstance(value, str | float):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    if not math.isfinite(number):
        return ""
    if number.is_integer() and abs(number) < 1e15:
        return f"; write {int(number)}"
    return f"; write {number}" if "number" in wanted else ""
