"""Train the SAE on one residual stream of the small language model."""

from pathlib import Path

from coactivation_manifolds.job import job
from coactivation_manifolds.training.sparse_autoencoder import train_sae

with job(snakemake):
    train_sae(
        snakemake.input.training,
        snakemake.params.training,
        seed=snakemake.params.seed,
        model_folder=Path(snakemake.input.config).parent,
        sae_folder=Path(snakemake.output.cfg).parent,
        losses_path=snakemake.output.losses,
    )
