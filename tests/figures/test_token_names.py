"""Tokens as a person can read them."""

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds import schemas
from coactivation_manifolds.figures.token_names import TokenNames, _visible, drawable, readable, running


@pytest.mark.parametrize(
    "text, shown",
    [
        (" the", "␣the"),
        ("the cat", "the cat"),
        ("a  b ", "a␣␣b␣"),
        ("   ", "␣␣␣"),
        ("\n\n", "⏎⏎"),
        ("\t", "⇥"),
        ("\r", "\\r"),
        ("\x00", "\\0"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202eabc", "\\u202eabc"),
        ("\u200b", "\\u200b"),
        ("\u2028", "\\u2028"),
        ("\u00a0", "\\u00a0"),
        ("\u0301x", "◌\u0301x"),
        ("", "(empty)"),
        (None, "(none)"),
        ("שלום", "שלום"),
        ("�", "�"),
        ("</script>", "</script>"),
    ],
)
def test_readable(text, shown):
    assert readable(text) == shown


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60), st.integers(4, 30))
def test_nothing_invisible_is_left_and_lengths_hold(text, length):
    for shown in (readable(text), drawable(text)):
        assert shown
        assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in shown)
    assert len(readable(text, max_length=length)) <= max(length, len("(empty)"))
    assert len(drawable(text, max_length=length)) <= max(length, len("(empty)")) + 4
    assert "\n" not in running(text)


def test_drawable_has_no_glyph_that_the_font_lacks():
    assert drawable("中文") == "\\u4e2d\\u6587"
    assert drawable("👍") == "\\u{1f44d}"
    assert drawable(" über") == "␣über"


def test_running_keeps_spaces():
    assert running(" a\n") == " a⏎"
    assert len(running("x" * 500)) == 60


def vocab(ids, texts):
    return schemas.conform({"token_id": ids, "text": texts}, schemas.VOCAB)


def latent_tokens(rows):
    columns = dict(zip(schemas.LATENT_TOKENS.names, zip(*rows, strict=True), strict=True))
    return schemas.conform(columns, schemas.LATENT_TOKENS)


@pytest.mark.parametrize("first_rank", [0, 1])
def test_names_from_tables_in_any_order(first_rank):
    table = latent_tokens(
        [
            (7, first_rank + 1, 2, 5, 1.0),
            (7, first_rank, 9, 8, 1.0),
            (3, first_rank, 2, 1, 1.0),
            (4, first_rank, None, 1, 1.0),
        ]
    )
    names = TokenNames(vocab([9, 2, 5], ["nine", " two", None]), table)
    assert names.texts([2, 9, 4, -1, 5]) == [" two", "nine", None, None, None]
    assert names.names([2, 9, 4, -1]) == ["␣two", "nine", "token 4", "(none)"]
    assert names.strongest([3, 7, 8, 4]) == ["␣two", "nine", None, "(none)"]
    assert names.has_text


def test_without_tables():
    names = TokenNames()
    assert names.texts([1, -1]) == [None, None]
    assert names.names([17, -1]) == ["token 17", "(none)"]
    assert names.strongest([1, 2]) == [None, None]
    assert not names.has_text
    assert TokenNames(vocab(pa.array([], pa.int32()), pa.array([], pa.string()))).texts([3]) == [None]


def test_what_is_made_visible_is_what_python_can_not_print():
    for number in range(0x110000):
        character = chr(number)
        assert character.isprintable() == (_visible(character) == character)
