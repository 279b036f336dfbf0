"""The same pages in a real browser: nothing of the corpus runs, and the page's own script does."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hostile import FLAG
from hostile_pages import make_pages

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, chromium-browser or google-chrome"),
]

WATCH = """<script>
const root = document.documentElement;
window.addEventListener("error", (event) => root.setAttribute("data-error", event.message || "resource"));
window.alert = () => root.setAttribute("data-alert", "yes");
</script>"""

DRIVE = """<script>
(function () {
  const texts = new Set(), plot = document.getElementById("plot");
  for (const id of ["colour", "basis", "x", "y"]) {
    const select = document.getElementById(id);
    for (const item of select ? [...select.options] : []) {
      select.value = item.value;
      select.dispatchEvent(new Event("change"));
      document.querySelectorAll("button").forEach((button) => button.click());
    }
  }
  document.querySelectorAll("button").forEach((button) => button.click());
  document.querySelectorAll("*").forEach((element) => {
    for (const kind of ["mouseover", "focus", "toggle"]) element.dispatchEvent(new Event(kind, { bubbles: true }));
  });
  if (plot) {
    const box = plot.getBoundingClientRect();
    for (let i = 0; i < 60; i++) for (let j = 0; j < 60; j++) {
      const at = { clientX: box.left + box.width * i / 60, clientY: box.top + box.height * j / 60, bubbles: true };
      plot.dispatchEvent(new PointerEvent("pointermove", at));
      const tip = document.getElementById("tip");
      if (!tip.hidden) texts.add(tip.textContent);
    }
  }
  root.setAttribute("data-tips", texts.size);
  root.setAttribute("data-driven", "yes");
})();
</script>"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_pages(tmp_path_factory.mktemp("pages"))


def opened(page: Path, profile: Path) -> str:
    """The page as it stands in the browser after its scripts have run."""
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += ["--no-first-run", f"--user-data-dir={profile}", "--window-size=1200,900"]
    command += ["--virtual-time-budget=5000", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120)
    return done.stdout.decode("utf-8")


def title_of(dom: str) -> str:
    return re.search(r"<title>(.*?)</title>", dom, flags=re.DOTALL).group(1)


@pytest.mark.parametrize("name", ["report", "gallery", "cluster"])
def test_nothing_of_the_corpus_runs_and_the_page_works(pages: dict[str, Path], tmp_path: Path, name: str) -> None:
    dom = opened(pages[name], tmp_path / "profile")
    assert title_of(dom) == title_of(pages[name].read_text(encoding="utf-8")) != FLAG
    assert "</main>" in dom and "<iframe" not in dom and "<svg" not in dom
    if name == "cluster":
        assert re.search(r'<ul class="legend" id="legend"><li><button', dom), "the page's own script did not run"


@pytest.mark.parametrize("name", ["report", "atlas", "gallery", "cluster", "find"])
def test_nothing_runs_without_the_policy_either(pages: dict[str, Path], tmp_path: Path, name: str) -> None:
    """Escaping alone must do: the policy is taken out, every button pressed, every point pointed at."""
    text = pages[name].read_text(encoding="utf-8")
    bare, n = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', lambda _: WATCH, text)
    assert n == 1
    bare = bare.replace("</body>", DRIVE + "</body>")
    page = pages[name].with_name("driven.html")
    page.write_text(bare, encoding="utf-8")
    try:
        dom = opened(page, tmp_path / "profile")
    finally:
        page.unlink()
    root = dom[: dom.index("<head")]
    assert 'data-driven="yes"' in root, root
    assert "data-error" not in root and "data-alert" not in root, root
    assert title_of(dom) == title_of(text) != FLAG
    assert "<iframe" not in dom and "<svg" not in dom
    if name in ("cluster", "find"):
        assert int(re.search(r'data-tips="(\d+)"', root).group(1)) > 20


def test_a_script_that_runs_would_be_seen(pages: dict[str, Path], tmp_path: Path) -> None:
    """What the tests above look at does change where escaping fails, and the policy alone stops even that."""
    text = pages["atlas"].read_text(encoding="utf-8")
    planted = text.replace("<main>", f"<main><script>document.title='{FLAG}'</script>")
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", planted)
    for name, content, title in (("policy", planted, title_of(text)), ("bare", bare, FLAG)):
        page = pages["atlas"].with_name(f"{name}.html")
        page.write_text(content, encoding="utf-8")
        try:
            assert title_of(opened(page, tmp_path / name)) == title
        finally:
            page.unlink()
