"""Corpus to activation shards: one cheap plan job, then one GPU job a shard.

Needs: model, SAE and corpus of the experiment file. Makes: corpus/, activations/, metadata/.
"""


rule plan_corpus:
    """Read the corpus once, tokenise and pack it, and write the token shards that the GPU jobs read.

    Declares only its commit record: the shards lie beside it.
    """
    input:
        corpus=local_files("corpus", "path"),
        model=local_files("model", "path"),
    output:
        plan=paths.CORPUS_PLAN,
        vocab=paths.VOCAB,
    log:
        "logs/{experiment}/plan_corpus.log",
    benchmark:
        "logs/{experiment}/plan_corpus.tsv"
    wildcard_constraints:
        experiment=experiments_matching(imported=False),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        version=ALGORITHM_VERSION["corpus"],
        corpus=setting("corpus"),
        model=setting("model"),
        sae=setting("sae"),
        tokens_per_shard=setting("harvest.tokens_per_shard"),
    script:
        "../workflow_scripts/plan_corpus.py"


rule describe_sae:
    """Write the decoder rows and what the SAE says of itself; also the decoder given with imported activations."""
    input:
        sae=local_files("sae", "path"),
        decoder=local_files("activations", "decoder"),
    output:
        decoder=paths.DECODER,
        description=paths.SAE_JSON,
    log:
        "logs/{experiment}/describe_sae.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        version=ALGORITHM_VERSION["activations"],
        sae=setting("sae"),
        activations=setting("activations"),
    script:
        "../workflow_scripts/describe_sae.py"


rule harvest_shard:
    """Run the model to the SAE's hook on one shard's tokens and write the firing latents.

    Declares only the manifest, written last: parts lie beside it and outlive a kill.
    """
    input:
        plan=plan_of_shard,
        corpus=local_files("corpus", "path"),
        model=local_files("model", "path"),
        sae=local_files("sae", "path"),
    output:
        manifest=paths.MANIFEST,
    log:
        "logs/{experiment}/harvest_shard/{shard}.log",
    benchmark:
        "logs/{experiment}/harvest_shard/{shard}.tsv"
    wildcard_constraints:
        experiment=experiments_matching(imported=False),
    conda:
        ENVIRONMENT
    threads: setting("harvest.cpu_threads")
    resources:
        mem_mb=memory(16000),
        runtime=minutes(240),
        gpu=setting("harvest.gpus_per_job"),
    params:
        version=ALGORITHM_VERSION["activations"],
        model=setting("model"),
        sae=setting("sae"),
        corpus=corpus_of_shard,
        harvest=harvest_of_shard,
    script:
        "../workflow_scripts/harvest_shard.py"


rule summarize_activations:
    """Add up the shards: tokens, L0, firings of each latent, and the guard rails measured at harvest."""
    input:
        manifests=per_shard(paths.MANIFEST),
        plan=if_harvested(paths.CORPUS_PLAN),
        description=if_decoder(paths.SAE_JSON),
    output:
        experiment=paths.EXPERIMENT_JSON,
        shard_stats=paths.SHARD_STATS,
        feature_counts=paths.FEATURE_COUNTS,
    log:
        "logs/{experiment}/summarize_activations.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        version=ALGORITHM_VERSION["activations"],
        resolved=derived(experiment_config.harvest_settings),
    script:
        "../workflow_scripts/summarize_activations.py"
