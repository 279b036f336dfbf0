"""Write the experiment's page."""

from coactivation_manifolds.job import job
from coactivation_manifolds.report.experiment_page import write_report

with job(snakemake):
    write_report(
        config=snakemake.params.config,
        experiment_path=snakemake.input.experiment,
        totals_path=snakemake.input.totals,
        sweep_path=snakemake.input.sweep,
        elbow_path=snakemake.input.elbow,
        tail_path=snakemake.input.tail,
        summary_path=snakemake.input.clusters,
        scores_path=snakemake.input.scores,
        atlas_folder=snakemake.input.atlas,
        latent_tokens_path=snakemake.input.get("latent_tokens") or None,
        vocab_path=snakemake.input.get("vocab") or None,
        shifts_path=snakemake.input.get("shifts") or None,
        planted=snakemake.input.get("planted") or None,
        finds_path=snakemake.input.finds,
        finds_summary_path=snakemake.input.finds_summary,
        gallery_folder=snakemake.input.gallery,
        report_path=snakemake.output.report,
    )
