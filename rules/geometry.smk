"""The shape of single clusters: scores, figures, pages.

Needs: clusters/, index/, metadata/. Makes: geometry/.
"""


rule measure_clusters:
    """Points and explained variance of every cluster within the size bounds."""
    input:
        summary=paths.CLUSTERS_SUMMARY,
        index=index_files,
        decoder=if_decoder(paths.DECODER),
    output:
        variance=paths.VARIANCE,
    log:
        "logs/{experiment}/measure_clusters/{clustering}.log",
    benchmark:
        "logs/{experiment}/measure_clusters/{clustering}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(8000),
        runtime=minutes(240),
    params:
        version=ALGORITHM_VERSION["geometry"],
        settings=derived(experiment_config.geometry_settings),
    script:
        "../workflow_scripts/measure_clusters.py"


rule plot_cluster_pca:
    """One cluster: its principal components in both bases, its points, and its page."""
    input:
        summary=paths.CLUSTERS_SUMMARY,
        index=index_files,
        decoder=if_decoder(paths.DECODER),
        vocab=if_tokens(paths.VOCAB),
        latent_tokens=if_tokens(paths.LATENT_TOKENS),
    output:
        pca=report(
            paths.CLUSTER_PCA,
            caption="../docs/captions/cluster_pca.rst",
            category="Clusters",
            subcategory="{clustering}",
            labels={"cluster": "{cluster}", "basis": "reconstruction"},
        ),
        pca_activations=paths.CLUSTER_PCA_ACTIVATIONS,
        arrays=paths.CLUSTER_PCA_ARRAYS,
        points=paths.CLUSTER_POINTS,
        page=paths.CLUSTER_PAGE,
    log:
        "logs/{experiment}/plot_cluster_pca/{clustering}/{cluster}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        version=ALGORITHM_VERSION["geometry"],
        figures_version=ALGORITHM_VERSION["figures"],
        settings=derived(experiment_config.drawing_settings),
    script:
        "../workflow_scripts/plot_cluster_pca.py"


rule draw_atlas:
    """The figures of all clusters within the size bounds, in one job, with an index page."""
    input:
        summary=paths.CLUSTERS_SUMMARY,
        index=index_files,
        decoder=if_decoder(paths.DECODER),
        vocab=if_tokens(paths.VOCAB),
        latent_tokens=if_tokens(paths.LATENT_TOKENS),
    output:
        atlas=report(
            directory(paths.ATLAS),
            patterns=["cluster={cluster}/pca.png"],
            caption="../docs/captions/cluster_pca.rst",
            category="Clusters",
            subcategory="{clustering}",
            labels={"cluster": "{cluster}", "basis": "reconstruction"},
        ),
    log:
        "logs/{experiment}/draw_atlas/{clustering}.log",
    benchmark:
        "logs/{experiment}/draw_atlas/{clustering}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(8000),
        runtime=minutes(240),
    params:
        version=ALGORITHM_VERSION["geometry"],
        figures_version=ALGORITHM_VERSION["figures"],
        settings=derived(experiment_config.drawing_settings),
    script:
        "../workflow_scripts/draw_atlas.py"
