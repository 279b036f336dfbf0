"""Write training and harvest documents, tokenizer and planted truth."""

from pathlib import Path

from coactivation_manifolds.job import job
from coactivation_manifolds.training.recipes import make_training_corpus

with job(snakemake):
    make_training_corpus(
        snakemake.params.training,
        seed=snakemake.params.seed,
        training_path=snakemake.output.training,
        harvest_path=snakemake.output.harvest,
        tokenizer_folder=Path(snakemake.output.tokenizer).parent,
        truth_path=snakemake.output.truth,
    )
