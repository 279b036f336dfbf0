"""A harvest of seconds in a copy of the workflow: a random model and SAE, and a corpus of random words."""

from pathlib import Path

import numpy as np
from tiny_models import WORDS, save_jsonl, save_model, save_sae
from workflow_clone import Clone

WORDS_PER_DOCUMENT = 150

# a random SAE rebuilds nothing, so its fit is not looked at; contexts of one batch, so that there is much to do
EXPERIMENT = """\
model: {{path: tiny/model}}
sae: {{path: tiny/sae}}
corpus: {{source: jsonl, path: tiny/corpus.jsonl, context_length: 16, n_tokens: {n_tokens}}}
harvest:
  device: {device}
  gpus_per_job: 1
  tokens_per_shard: {tokens_per_shard}
  batch_size: 1
  tokens_per_part: 256
  max_fvu: 1000
"""


def add_tiny_harvest(clone: Clone, name: str, *, n_tokens: int, tokens_per_shard: int, device: str = "cpu") -> Path:
    """Write an experiment that asks for a GPU for each shard, and the files that it needs; gives its file."""
    save_model(clone / "tiny/model")
    save_sae(clone / "tiny/sae")
    rng = np.random.default_rng(0)
    n_documents = -(-n_tokens // WORDS_PER_DOCUMENT)
    texts = [" ".join(rng.choice(WORDS, WORDS_PER_DOCUMENT)) for _ in range(n_documents)]
    save_jsonl(clone / "tiny/corpus.jsonl", texts)
    text = EXPERIMENT.format(n_tokens=n_tokens, tokens_per_shard=tokens_per_shard, device=device)
    return clone.write_experiment(name, text)
