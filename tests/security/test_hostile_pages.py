"""Pages of a corpus that wants to run as a script hold its texts as text, and stay readable."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hostile import FLAG, HOSTILE
from hostile_pages import make_pages
from synthetic_pages import Page, stands_alone

from coactivation_manifolds.corpus.sources import read_documents
from coactivation_manifolds.errors import one_line
from coactivation_manifolds.report.cluster_page import MAX_BYTES

TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title style body main h1 h2 h3 p nav a div b span i table thead tbody tr th td button img "
        "details summary pre dl dt dd ul li code label select canvas bdi br script",
    )
)
"""All that our templates use."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_pages(tmp_path_factory.mktemp("pages"))


@pytest.mark.parametrize("name", ["report", "atlas", "gallery", "cluster", "find"])
def test_no_text_becomes_a_tag_an_address_or_an_attribute(pages: dict[str, Path], name: str) -> None:
    text = pages[name].read_text(encoding="utf-8")
    page = Page(text)
    stands_alone(page)
    assert {tag for tag, _ in page.tags} <= TAGS
    assert not [attrs for _, attrs in page.tags if any(FLAG in (value or "") for value in attrs.values())]
    assert [script for script in page.scripts if FLAG in script] == [
        script for script in page.scripts[:1] if FLAG in script
    ]
    strange = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c != "\n"}
    assert strange == set()
    assert page.scripts == [] or "<" not in page.scripts[0] or name != "cluster"


@pytest.mark.parametrize("name", ["atlas", "cluster", "find"])
def test_long_texts_do_not_blow_a_page_up(pages: dict[str, Path], name: str) -> None:
    assert pages[name].stat().st_size <= MAX_BYTES


def test_the_texts_can_be_read_on_the_page(pages: dict[str, Path]) -> None:
    page = Page(pages["cluster"].read_text(encoding="utf-8"))
    pieces = json.loads(page.scripts[0])["pieces"]
    assert {"<script>document.title='OWNED'</script>", "\\0", "javascript:document.title='OWNED'"} <= set(pieces)
    assert any("\\u202e" in piece for piece in pieces)
    assert max(map(len, pieces)) <= 61


def test_the_policy_lets_our_own_script_run_and_no_other(pages: dict[str, Path]) -> None:
    for name in ("report", "atlas", "cluster"):
        policy = next(
            attrs["content"]
            for _, attrs in Page(pages[name].read_text(encoding="utf-8")).tags
            if attrs.get("http-equiv")
        )
        scripts = policy.split("script-src ")[1].split(";")[0]
        assert scripts.startswith("'sha256-") and " " not in scripts
    policy = pages["gallery"].read_text(encoding="utf-8").split("script-src ")[1].split(";")[0]
    assert policy == "'none'"


def test_a_corpus_of_such_texts_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for i, text in enumerate(HOSTILE):
        (tmp_path / f"files/{i:03d}.txt").write_text(text, encoding="utf-8", newline="")
    lines = "".join(json.dumps({"text": text}) + "\n" for text in HOSTILE)
    (tmp_path / "corpus.jsonl").write_text(lines, encoding="utf-8")
    found = [document.text for document in read_documents({"source": "jsonl", "path": str(tmp_path / "corpus.jsonl")})]
    assert found == HOSTILE
    found = [document.text for document in read_documents({"source": "text", "path": str(tmp_path / "files")})]
    # a byte order mark at the start of a file is no part of its text
    assert found == [text.removeprefix("\ufeff") for text in HOSTILE]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_message_that_quotes_such_a_text_is_one_printable_line(text: str) -> None:
    line = one_line(f"found {text!s}, which is wrong")
    assert line.isprintable()
    assert len(line) <= 2_000
