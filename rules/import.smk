"""Activations made elsewhere, in place of a harvest.

Needs: the files of the experiment's `activations` section. Makes: activations/.
"""


rule import_activations:
    """Check the given activations and cut their rows, in token_index order, into equal shards.

    Declares only its record: the shards' parts lie beside it.
    """
    input:
        activations=local_files("activations", "path", "tokens"),
    output:
        record=paths.IMPORT_RECORD,
        vocab=paths.VOCAB,
    log:
        "logs/{experiment}/import_activations.log",
    benchmark:
        "logs/{experiment}/import_activations.tsv"
    wildcard_constraints:
        experiment=experiments_matching(imported=True),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        version=ALGORITHM_VERSION["import"],
        activations=derived(experiment_config.import_settings),
    script:
        "../workflow_scripts/import_activations.py"


rule publish_import_shard:
    """Commit one imported shard: write the manifest of its parts."""
    input:
        record=paths.IMPORT_RECORD,
    output:
        manifest=paths.MANIFEST,
    log:
        "logs/{experiment}/publish_import_shard/{shard}.log",
    wildcard_constraints:
        experiment=experiments_matching(imported=True),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        version=ALGORITHM_VERSION["import"],
    script:
        "../workflow_scripts/publish_import_shard.py"
