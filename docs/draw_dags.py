"""Draw the demo's rule graph and the job graph of a small three-shard run; print the job table (`make dag`)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
IMAGES = DOCS / "images"
REPORT = "results/demo/report.html"
ONE_FIGURE = "results/demo/geometry/components_j0.20/cluster=0000/pca.png"


def snakemake(*arguments: str) -> str:
    """Run snakemake from the root of the clone; what it prints."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def tidy(dot: str) -> str:
    """Snakemake's dot with a plain font, left to right, without its random colours."""
    lines = []
    for line in dot.splitlines():
        if line.strip().startswith("graph["):
            line = '    graph[bgcolor=white, margin=0, rankdir=LR, ranksep="0.35", nodesep="0.12"];'
        elif line.strip().startswith("node["):
            line = '    node[shape=box, style="rounded,filled", fillcolor="#eaf3f8", color="#0072b2", '
            line += "fontname=sans, fontsize=10, penwidth=1, margin=0.08];"
        elif "label = " in line:
            head, _, rest = line.partition("label = ")
            label = rest[: rest.index('"', 1) + 1]
            line = f"{head}label = {label}];"
        lines.append(line)
    return "\n".join(lines)


def draw(kind: str, target: str, name: str) -> Path:
    """Draw one graph as SVG where graphviz is installed, else write it as mermaid."""
    IMAGES.mkdir(exist_ok=True)
    if shutil.which("dot"):
        output = IMAGES / f"{name}.svg"
        dot = tidy(snakemake("--forceall", kind, "dot", target))
        subprocess.run(["dot", "-Tsvg", "-o", str(output)], input=dot, text=True, check=True)
        return output
    output = IMAGES / f"{name}.mmd"
    output.write_text(snakemake("--forceall", kind, "mermaid-js", target), encoding="utf-8")
    return output


if __name__ == "__main__":
    for drawn in (draw("--rulegraph", REPORT, "rulegraph_demo"), draw("--dag", ONE_FIGURE, "dag_three_shards")):
        sys.stdout.write(f"drew {drawn.relative_to(ROOT)}\n")
    plan = snakemake(REPORT, "--dry-run", "--forceall", "--quiet", "rules")
    table = plan[plan.index("job ") :].partition("\n\n")[0]
    sys.stdout.write(f"\nthe jobs of {REPORT}:\n{table}\n")
