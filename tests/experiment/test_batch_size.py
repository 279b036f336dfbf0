"""The size of batches is a number before anything runs, and does not depend on the machine."""

import pytest

from coactivation_manifolds.experiment.config import (
    batches_per_part,
    contexts_per_batch,
    harvest_settings,
)


def config(batch_size, context_length=128):
    harvest = {"batch_size": batch_size, "tokens_per_part": 8_192}
    sections = {"model": {}, "sae": {}, "corpus": {"context_length": context_length}, "harvest": harvest}
    return {"name": "x", "seed": 0, **sections}


@pytest.mark.parametrize(
    ("context_length", "contexts", "parts"), [(128, 64, 1), (1024, 8, 1), (1000, 8, 1), (2, 4_096, 1), (9_000, 1, 1)]
)
def test_auto_follows_from_the_length_of_contexts(context_length, contexts, parts):
    made = config("auto", context_length)
    assert contexts_per_batch(made) == contexts
    assert batches_per_part(made) == parts
    assert harvest_settings(made)["harvest"]["batch_size"] == contexts


def test_a_number_is_taken_as_it_is():
    assert contexts_per_batch(config(24)) == 24
    assert batches_per_part(config(24)) == 2
    assert harvest_settings(config(24))["harvest"]["batch_size"] == 24
