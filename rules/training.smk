"""A small model and SAE made on the spot, for experiments with a `training` section (demo, pydocs).

Needs: the experiment file. Makes: results/{experiment}/trained/ with corpus, tokenizer, model, SAE and, where something
was planted, its truth.
"""


rule make_training_corpus:
    """Write the documents to train on and those to harvest, a tokenizer, and the planted truth (empty where none is)."""
    output:
        training=f"{paths.TRAINED}/training.jsonl",
        harvest=f"{paths.TRAINED}/harvest.jsonl",
        tokenizer=f"{paths.TRAINED}/tokenizer/tokenizer.json",
        tokenizer_config=f"{paths.TRAINED}/tokenizer/tokenizer_config.json",
        truth=paths.PLANTED_TRUTH,
    log:
        "logs/{experiment}/make_training_corpus.log",
    benchmark:
        "logs/{experiment}/make_training_corpus.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        version=ALGORITHM_VERSION["training"],
        training=setting("training"),
        seed=setting("seed"),
    script:
        "../workflow_scripts/make_training_corpus.py"


rule train_language_model:
    """Train a small GPT-2-architecture model and save it as transformers does."""
    input:
        training=f"{paths.TRAINED}/training.jsonl",
        tokenizer=f"{paths.TRAINED}/tokenizer/tokenizer.json",
        tokenizer_config=f"{paths.TRAINED}/tokenizer/tokenizer_config.json",
    output:
        config=f"{paths.TRAINED_MODEL}/config.json",
        weights=f"{paths.TRAINED_MODEL}/model.safetensors",
        tokenizer=f"{paths.TRAINED_MODEL}/tokenizer.json",
        tokenizer_config=f"{paths.TRAINED_MODEL}/tokenizer_config.json",
        losses=f"{paths.TRAINED}/model_losses.json",
    log:
        "logs/{experiment}/train_language_model.log",
    benchmark:
        "logs/{experiment}/train_language_model.tsv"
    conda:
        ENVIRONMENT
    threads: setting("training.cpu_threads")
    resources:
        mem_mb=memory(8000),
        runtime=minutes(120),
    params:
        version=ALGORITHM_VERSION["training"],
        training=setting("training"),
        seed=setting("seed"),
    script:
        "../workflow_scripts/train_language_model.py"


rule train_sae:
    """Train an SAE on one residual stream of that model and save it as sae-lens does."""
    input:
        training=f"{paths.TRAINED}/training.jsonl",
        config=f"{paths.TRAINED_MODEL}/config.json",
        weights=f"{paths.TRAINED_MODEL}/model.safetensors",
        tokenizer=f"{paths.TRAINED_MODEL}/tokenizer.json",
    output:
        cfg=f"{paths.TRAINED_SAE}/cfg.json",
        weights=f"{paths.TRAINED_SAE}/sae_weights.safetensors",
        losses=f"{paths.TRAINED}/sae_losses.json",
    log:
        "logs/{experiment}/train_sae.log",
    benchmark:
        "logs/{experiment}/train_sae.tsv"
    conda:
        ENVIRONMENT
    threads: setting("training.cpu_threads")
    resources:
        mem_mb=memory(8000),
        runtime=minutes(120),
    params:
        version=ALGORITHM_VERSION["training"],
        training=setting("training"),
        seed=setting("seed"),
    script:
        "../workflow_scripts/train_sae.py"
