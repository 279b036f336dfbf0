"""From a corpus to per-cluster figures: which SAE latents fire together, and what shape do they make?

    snakemake --profile local                                   everything of the experiments in config/config.yaml
    snakemake --profile local results/demo/report.html          one experiment
    snakemake --profile slurm results/demo/geometry/components_j0.20/cluster=0001/pca.png     one figure

Data walks one way, one stage a file: training (demo only) -> harvest or import -> index -> co-occurrence -> similarity ->
clustering -> geometry -> report.
"""

import os
import sys

from snakemake.utils import min_version

min_version("9.20")

# The library of this clone, in this process and in every job, whichever environment the job runs in. PYTHONPATH need not
# be set before, so it is none of the `envvars` that Snakemake would insist on.
sys.path.insert(0, str(workflow.basedir))
python_path_before = dict(os.environ).get("PYTHONPATH")
os.environ.update(
    PYTHONPATH=os.pathsep.join(
        filter(None, (str(workflow.basedir), python_path_before))
    )
)


configfile: "config/config.yaml"


include: "rules/common.smk"


check_targets(sys.argv)


wildcard_constraints:
    **paths.WILDCARDS,


include: "rules/source_files.smk"
include: "rules/shifted_files.smk"
include: "rules/training.smk"
include: "rules/harvest.smk"
include: "rules/import.smk"
include: "rules/index.smk"
include: "rules/cooccurrence.smk"
include: "rules/similarity.smk"
include: "rules/clustering.smk"
include: "rules/geometry.smk"
include: "rules/shapes.smk"
include: "rules/finds.smk"
include: "rules/null.smk"
include: "rules/report.smk"
include: "rules/collect.smk"


onstart:
    check_writable("results")


rule all:
    """Every report of the experiments listed in config/config.yaml."""
    default_target: True
    input:
        expand(paths.REPORT, experiment=config["experiments"]),
