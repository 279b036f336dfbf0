"""The lock names exact versions with the hashes of their files, and no place that they come from."""

import re
from importlib.metadata import distributions

from workflow_clone import ROOT, load_script

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRIES = re.split(r"\n(?=\S)", "\n".join(line for line in LOCK.splitlines() if not line.startswith("#")))


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_has_an_exact_version_and_hashes() -> None:
    assert len(ENTRIES) > 150
    entry_form = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9._!]+( \\\n)?(\s+--hash=sha256:[0-9a-f]{64}( \\\n)?)+")
    assert [entry for entry in ENTRIES if not entry_form.fullmatch(entry)] == []
    names = [plain(entry.split("==")[0]) for entry in ENTRIES]
    assert names == sorted(set(names))


def test_torch_stands_on_one_line_with_one_build() -> None:
    """`make setup` leaves that line out, and a GPU's build takes its place."""
    (torch,) = [entry for entry in ENTRIES if entry.startswith("torch==")]
    assert "\n" not in torch and torch.count("--hash=") == 1


def test_the_lock_tells_no_address() -> None:
    assert not re.search(r"://|--index-url|--find-links|@", LOCK)


def test_what_is_installed_here_is_in_the_lock() -> None:
    locked = {plain(entry.split("==")[0]) for entry in ENTRIES}
    needed = {"numpy", "torch", "snakemake", "pyarrow", "transformers", "sae-lens"}
    assert needed <= {plain(each.metadata["Name"]) for each in distributions()} & locked


def test_what_pip_and_uv_say_becomes_the_lock() -> None:
    module = load_script("envs/write_lock.py")
    one = "b==1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    other = "Torch-like==2 \\\n    --hash=sha256:cc\n"
    torch = {"metadata": {"version": "2.1+cpu"}, "download_info": {"archive_info": {"hashes": {"sha256": "dd"}}}}
    written = module.lock(f"# by uv\n{other}{one}torch==9+cpu\n", {"install": [torch]})
    assert written == f"{module.HEAD}{one}torch==2.1 --hash=sha256:dd\n{other}"
