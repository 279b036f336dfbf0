"""The page that a person opens first, the gallery of the shapes found, and the demo's final check.

Needs: everything before. Makes: report.html, gallery/, planted/.
"""


rule check_planted_truth:
    """How well the planted ring and belief state are read from the clusters found, beside random sets of latents."""
    input:
        truth=paths.PLANTED_TRUTH,
        losses=f"{paths.TRAINED}/model_losses.json",
        clusters=headline(paths.CLUSTERS_SUMMARY),
        index=index_files,
        decoder=paths.DECODER,
        feature_counts=paths.FEATURE_COUNTS,
    output:
        check=paths.PLANTED_CHECK,
        figure=report(
            paths.PLANTED_FIGURE,
            caption="../docs/captions/planted.rst",
            category="Planted truth",
        ),
    log:
        "logs/{experiment}/check_planted_truth.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        version=ALGORITHM_VERSION["report"],
        figures_version=ALGORITHM_VERSION["figures"],
        geometry_version=ALGORITHM_VERSION["geometry"],
        clustering=setting("clustering.headline"),
        settings=derived(experiment_config.geometry_settings),
        min_firings=setting("similarity.min_firings"),
        seed=setting("seed"),
    script:
        "../workflow_scripts/check_planted_truth.py"


rule draw_gallery:
    """The best finds of the sweep with their fitted shapes, in one job, with a page."""
    input:
        finds=paths.FINDS,
        summaries=found(paths.CLUSTERS_SUMMARY),
        draws=found(paths.SHAPE_DRAWS),
        shapes=found(paths.SHAPES_JSON),
        index=index_files,
        decoder=if_decoder(paths.DECODER),
        vocab=if_tokens(paths.VOCAB),
        latent_tokens=if_tokens(paths.LATENT_TOKENS),
    output:
        gallery=report(
            directory(paths.GALLERY),
            patterns=["find={find}/shape.png"],
            caption="../docs/captions/find.rst",
            category="Shapes",
            labels={"find": "{find}"},
        ),
    log:
        "logs/{experiment}/draw_gallery.log",
    benchmark:
        "logs/{experiment}/draw_gallery.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        version=ALGORITHM_VERSION["report"],
        figures_version=ALGORITHM_VERSION["figures"],
        clusterings=derived(found_clusterings),
        settings=derived(experiment_config.gallery_settings),
    script:
        "../workflow_scripts/draw_gallery.py"


rule write_report:
    """One self-contained page for an experiment."""
    input:
        experiment=paths.EXPERIMENT_JSON,
        totals=paths.TOTALS,
        sweep=paths.SWEEP_SUMMARY,
        elbow=paths.SWEEP_ELBOW,
        tail=paths.SIMILARITY_TAIL,
        clusters=headline(paths.CLUSTERS_SUMMARY),
        scores=headline(paths.SCORES),
        atlas=headline(paths.ATLAS),
        latent_tokens=if_tokens(paths.LATENT_TOKENS),
        vocab=if_tokens(paths.VOCAB),
        shifts=if_controls(paths.SHIFT_SUMMARY),
        finds=paths.FINDS,
        finds_summary=paths.FINDS_SUMMARY,
        gallery=paths.GALLERY,
        planted=planted_check_if_planted,
    output:
        report=paths.REPORT,
    log:
        "logs/{experiment}/write_report.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        version=ALGORITHM_VERSION["report"],
        config=lambda wildcards: experiment(wildcards.experiment),
    script:
        "../workflow_scripts/write_report.py"
