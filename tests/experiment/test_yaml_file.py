"""Strict reading of YAML: lines of keys, and what is refused."""

from pathlib import Path

import pytest

from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.experiment.yaml_file import MAX_BYTES, kind, read_yaml, shortened


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "some.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_lines_of_keys_and_list_items(tmp_path):
    path = write(tmp_path, "# note\na:\n  b: 1\n  c:\n    - x\n    - y\nd: 2\n")
    file = read_yaml(path)
    assert file.content == {"a": {"b": 1, "c": ["x", "y"]}, "d": 2}
    lines = {keys: line for keys, (_, line) in file.lines.items()}
    assert lines == {("a",): 2, ("a", "b"): 3, ("a", "c"): 4, ("a", "c", "0"): 5, ("a", "c", "1"): 6, ("d",): 7}
    assert {where for where, _ in file.lines.values()} == {path}


def test_merge_keys_and_aliases_are_read(tmp_path):
    file = read_yaml(write(tmp_path, "base: &base {a: 1, b: 2}\nmine:\n  <<: *base\n  b: 3\nlist: [*base, *base]\n"))
    assert file.content["mine"] == {"a": 1, "b": 3}
    assert file.lines["mine", "b"][1] == 4
    assert file.lines["mine", "a"][1] == 1


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "null\n"])
def test_an_empty_file_holds_nothing(tmp_path, text):
    assert read_yaml(write(tmp_path, text)).content == {}


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    assert read_yaml(write(tmp_path, b"\xef\xbb\xbfseed: 1\n")).content == {"seed": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 'line 3: found "a" twice (first on line 1)'),
        ("s:\n  x: 1\n  x: 2\n", 'line 3: found "s.x" twice (first on line 2)'),
        ("a: [1, 2\n", "not YAML"),
        ("a: b: c\n", "line 1: not YAML"),
        ("\ta: 1\n", "line 1: not YAML"),
        ("- a\n- b\n", "expected keys and values, found a list of 2"),
        ("just words\n", 'expected keys and values, found the text "just words"'),
        ("1: x\n", 'the key "1", which is no word'),
        ("yes: x\n", 'the key "yes", which is no word'),
        ("? [a, b]\n: 1\n", "which is no word"),
        ("a: *nothing\n", "not YAML"),
        ("a: &a [*a]\n", "an alias (*) that contains itself"),
        ("a: !!python/object/apply:os.system [ls]\n", "not YAML"),
        ("a: 2024-99-99\n", "can't be read"),
        ("a: 1\n---\nb: 2\n", "not YAML"),
        ("a: " + "[" * 60 + "]" * 60 + "\n", "nesting"),
        ("a: " + "[" * 3000 + "]" * 3000 + "\n", "nested too deep"),
    ],
)
def test_what_is_refused_says_where(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_alias_bomb_is_refused_at_once(tmp_path):
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    with pytest.raises(ConfigError, match="aliases or nesting"):
        read_yaml(write(tmp_path, bomb))


def test_files_that_are_no_settings(tmp_path):
    with pytest.raises(ConfigError, match=r"not UTF-8 text \(invalid start byte at byte 3\)"):
        read_yaml(write(tmp_path, b"a: \xff\xfe\n"))
    with pytest.raises(ConfigError, match="larger than"):
        read_yaml(write(tmp_path, b"#" * (MAX_BYTES + 1)))
    with pytest.raises(ConfigError, match="is a folder"):
        read_yaml(tmp_path)
    with pytest.raises(ConfigError, match="does not exist"):
        read_yaml(tmp_path / "absent.yaml")


def test_values_in_plain_words():
    values = [None, True, "x", 3, 0.5, [1], [], {"a": 1}, {}]
    assert [kind(value) for value in values] == [
        "nothing",
        "true",
        'the text "x"',
        "the number 3",
        "the number 0.5",
        "a list of 1",
        "an empty list",
        "keys and values",
        "no keys",
    ]
    assert shortened("a\n b") == "a b"
    assert len(shortened("x" * 500)) == 60
