"""Write decoder rows and the SAE's description."""

from coactivation_manifolds.job import job
from coactivation_manifolds.models.describe import describe_sae

with job(snakemake):
    describe_sae(
        sae=snakemake.params.sae,
        activations=snakemake.params.activations,
        decoder_path=snakemake.output.decoder,
        description_path=snakemake.output.description,
    )
