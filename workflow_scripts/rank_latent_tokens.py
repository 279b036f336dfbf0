"""List the tokens that each latent fires on most."""

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.activations.latent_tokens import rank_latent_tokens
from coactivation_manifolds.job import job

with job(snakemake):
    rank_latent_tokens(
        FeatureIndex.open(snakemake.input.offsets),
        n_tokens=snakemake.params.n_tokens,
        latent_tokens_path=snakemake.output.latent_tokens,
    )
