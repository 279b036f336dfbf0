"""Which clusters have a shape, and how sure that is: null draws, tests, ranks.

Needs: clusters/, index/, metadata/, geometry/*/variance.parquet, stability.parquet, connected_sets.parquet. Makes:
geometry/*/shape_draws.parquet, shape_tests.parquet, shapes.json, scores.parquet.
"""


rule draw_nulls:
    """Statistics of every cluster and of its null draws: the dear part of the tests."""
    input:
        summary=paths.CLUSTERS_SUMMARY,
        index=index_files,
        decoder=if_decoder(paths.DECODER),
    output:
        draws=paths.SHAPE_DRAWS,
    log:
        "logs/{experiment}/draw_nulls/{clustering}.log",
    benchmark:
        "logs/{experiment}/draw_nulls/{clustering}.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=memory(8000),
        runtime=minutes(480),
    params:
        version=ALGORITHM_VERSION["shape_draws"],
        settings=derived(experiment_config.shape_settings),
        seed=setting("seed"),
    script:
        "../workflow_scripts/draw_nulls.py"


rule test_shapes:
    """p-values of all shapes, and the parameters of those that a cluster may be called by."""
    input:
        draws=paths.SHAPE_DRAWS,
        summary=paths.CLUSTERS_SUMMARY,
        index=index_files,
        decoder=if_decoder(paths.DECODER),
    output:
        tests=paths.SHAPE_TESTS,
        shapes=paths.SHAPES_JSON,
    log:
        "logs/{experiment}/test_shapes/{clustering}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(4000),
        runtime=minutes(60),
    params:
        version=ALGORITHM_VERSION["shape_tests"],
        settings=derived(experiment_config.shape_settings),
        seed=setting("seed"),
    script:
        "../workflow_scripts/test_shapes.py"


rule rank_clusters:
    """Every cluster with its shape, q-values, stability and rank."""
    input:
        tests=paths.SHAPE_TESTS,
        variance=paths.VARIANCE,
        summary=paths.CLUSTERS_SUMMARY,
        stability=paths.STABILITY,
        connected_sets=paths.CONNECTED_SETS,
    output:
        scores=paths.SCORES,
    log:
        "logs/{experiment}/rank_clusters/{clustering}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(2000),
        runtime=minutes(30),
    params:
        version=ALGORITHM_VERSION["ranking"],
        max_q=setting("shapes.max_q"),
    script:
        "../workflow_scripts/rank_clusters.py"
