"""Write requirements.lock: exact versions with the hashes of their files. Called by `make lock`.

    python envs/write_lock.py HASHED REPORT

HASHED is what `uv pip compile --generate-hashes` wrote, REPORT what `pip install --report` said of torch: its CPU build
comes from another place than the rest, and only this one build's hash is listed. An index's address is never written.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements.lock"
HEAD = """\
# Exact versions of everything installed, with the SHA-256 of their files; made by: make lock
# For torch only that of its CPU build for Linux (x86-64, Python 3.11): install another build first, and pip keeps it.
"""


def lock(hashed: str, report: Mapping[str, Any]) -> str:
    """The text of requirements.lock."""
    requirements = re.split(r"\n(?=\S)", hashed.strip())
    kept = [requirement for requirement in requirements if not re.match(r"torch==|#|-", requirement)]
    (torch,) = report["install"]
    version = torch["metadata"]["version"].partition("+")[0]
    kept.append(f"torch=={version} --hash=sha256:{torch['download_info']['archive_info']['hashes']['sha256']}")
    return HEAD + "\n".join(sorted(kept, key=lambda requirement: requirement.split("==")[0].lower())) + "\n"


if __name__ == "__main__":
    found, said = map(Path, sys.argv[1:])
    LOCK.write_text(lock(found.read_text(encoding="utf-8"), json.loads(said.read_text(encoding="utf-8"))))
