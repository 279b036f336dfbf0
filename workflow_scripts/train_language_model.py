"""Train the small language model."""

from pathlib import Path

from coactivation_manifolds.job import job
from coactivation_manifolds.training.language_model import train_language_model

with job(snakemake):
    train_language_model(
        snakemake.input.training,
        snakemake.params.training,
        seed=snakemake.params.seed,
        tokenizer_folder=Path(snakemake.input.tokenizer).parent,
        model_folder=Path(snakemake.output.config).parent,
        losses_path=snakemake.output.losses,
    )
