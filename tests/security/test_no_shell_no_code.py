"""What is never done anywhere: a shell built from strings, code or pickles from files, YAML beyond plain values."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from workflow_clone import ROOT

FOLDERS = ("coactivation_manifolds", "workflow_scripts", "benchmarks", "docs", "envs")
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
RULES = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]
NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a file with the dotted name of what is called."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keywords(call: ast.Call) -> dict[str, object]:
    return {str(each.arg): getattr(each.value, "value", ast.unparse(each.value)) for each in call.keywords}


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_programs_are_started_from_lists_without_a_shell(path: Path) -> None:
    for name, call in calls(path):
        assert not re.match(r"os\.(system|popen|spawn|exec)|pty\.|shell$", name), ast.unparse(call)
        assert keywords(call).get("shell", False) is False, ast.unparse(call)
        if name.startswith("subprocess."):
            assert not isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp), ast.unparse(call)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rules_call_scripts_and_no_shell(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"^\s*(shell|run|wrapper|cwl|notebook|template_engine)\s*:", text, flags=re.MULTILINE)
    assert not re.search(r"\b(shell|system|popen|subprocess|eval|exec)\b\s*\(", text)
    assert "subprocess" not in text


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_no_code_comes_out_of_a_file(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    assert not imported & {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    for name, call in calls(path):
        given = keywords(call)
        assert name not in ("eval", "exec", "compile", "__import__", "torch.load", "yaml.unsafe_load"), name
        assert given.get("trust_remote_code", False) is False
        if name in ("np.load", "np.lib.format.read_array"):
            assert given.get("allow_pickle") is False, ast.unparse(call)
        if name in ("yaml.load", "yaml.load_all"):
            loader = str(given.get("Loader"))
            assert "Safe" in loader or re.search(rf"{loader} = .*SafeLoader", path.read_text(encoding="utf-8"))


def test_models_and_tokenizers_are_asked_not_to_run_code() -> None:
    text = (ROOT / "coactivation_manifolds/corpus/tokenizer.py").read_text(encoding="utf-8")
    assert text.count('"trust_remote_code": False') == 2
    loads = [
        (path, call)
        for path in SOURCES
        for name, call in calls(path)
        if (name.endswith("from_pretrained") and "models" in path.parts) or name.endswith("loader.from_pretrained")
    ]
    assert len(loads) == 2
    assert all("**keywords" in ast.unparse(call) for _, call in loads)
