"""Draw the best finds of an experiment with their fitted shapes."""

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.job import job
from coactivation_manifolds.report.gallery import ClusteringFiles, draw_gallery

with job(snakemake):
    files = map(ClusteringFiles, *(snakemake.input[name] for name in ("summaries", "draws", "shapes")))
    draw_gallery(
        snakemake.input.finds,
        clusterings=dict(zip(snakemake.params.clusterings, files, strict=True)),
        index=FeatureIndex.open(snakemake.input.index[0]),
        decoder_path=snakemake.input.get("decoder") or None,
        vocab_path=snakemake.input.get("vocab") or None,
        latent_tokens_path=snakemake.input.get("latent_tokens") or None,
        settings=snakemake.params.settings,
        experiment=snakemake.wildcards.experiment,
        gallery_folder=snakemake.output.gallery,
    )
