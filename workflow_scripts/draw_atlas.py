"""Draw all clusters within the size bounds."""

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.job import job
from coactivation_manifolds.report.atlas import draw_atlas

with job(snakemake):
    draw_atlas(
        snakemake.wildcards.clustering,
        summary_path=snakemake.input.summary,
        index=FeatureIndex.open(snakemake.input.index[0]),
        decoder_path=snakemake.input.get("decoder") or None,
        vocab_path=snakemake.input.get("vocab") or None,
        latent_tokens_path=snakemake.input.get("latent_tokens") or None,
        settings=snakemake.params.settings,
        atlas_folder=snakemake.output.atlas,
    )
