"""Tokenise and pack the corpus into token shards."""

from coactivation_manifolds.corpus.plan import plan_corpus
from coactivation_manifolds.job import job

with job(snakemake):
    plan_corpus(
        snakemake.params.corpus,
        snakemake.params.model,
        snakemake.params.sae,
        tokens_per_shard=snakemake.params.tokens_per_shard,
        plan_path=snakemake.output.plan,
        vocab_path=snakemake.output.vocab,
    )
