"""Write envs/coactivation.yaml, the conda environment of every rule, from requirements.lock."""

from pathlib import Path

FOLDER = Path(__file__).parent
HEAD = """\
# The environment of every rule under `--software-deployment-method conda`; made by envs/from_lock.py.
# On nodes with a GPU install torch's CUDA build in its place.
channels: [conda-forge]
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def environment(lock: str) -> str:
    """The conda environment file that installs the versions of the lock; no hashes: torch's build is the node's."""
    requirements = [line.split()[0] for line in lock.splitlines() if line and line[0] not in "# "]
    return HEAD + "".join(f"      - {requirement}\n" for requirement in requirements)


if __name__ == "__main__":
    lock_file = FOLDER.parent / "requirements.lock"
    (FOLDER / "coactivation.yaml").write_text(environment(lock_file.read_text(encoding="utf-8")), encoding="utf-8")
