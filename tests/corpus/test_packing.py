import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.corpus.packing import pack
from coactivation_manifolds.corpus.plan import by_shard

documents = st.lists(st.lists(st.integers(0, 99), max_size=12), max_size=12)
sizes = st.integers(1, 7)


def packed(texts, **settings_):
    return list(pack(enumerate(texts), **settings_))


@settings(deadline=None, max_examples=60)
@given(texts=documents, size=sizes, across=st.booleans())
def test_every_token_once_and_in_order(texts, size, across):
    contexts = packed(texts, max_tokens=size, across_documents=across)
    flat = [token for text in texts for token in text]
    assert [token for context in contexts for token in context.token_ids] == flat
    assert [context.number for context in contexts] == list(range(len(contexts)))
    expected = 0
    for context in contexts:
        assert context.first_token_index == expected
        assert 1 <= context.n_tokens <= size
        expected += context.n_tokens
    pairs = [(doc, position) for doc, text in enumerate(texts) for position in range(len(text))]
    found = [pair for context in contexts for pair in zip(context.doc_ids, context.positions, strict=True)]
    assert found == pairs


@settings(deadline=None, max_examples=60)
@given(texts=documents, size=sizes)
def test_nothing_straddles_documents_unless_asked(texts, size):
    apart = packed(texts, max_tokens=size)
    assert all(len(set(context.doc_ids.tolist())) == 1 for context in apart)
    assert len(apart) == sum(-(-len(text) // size) for text in texts)
    joined = packed(texts, max_tokens=size, across_documents=True)
    assert all(context.n_tokens == size for context in joined[:-1])


@settings(deadline=None, max_examples=60)
@given(texts=documents, size=sizes, total=st.integers(1, 60), more=st.integers(0, 60), per_shard=st.integers(1, 20))
def test_more_tokens_add_contexts_and_change_none(texts, size, total, more, per_shard):
    # totals are whole shards, as when a shard is added
    first = packed(texts, max_tokens=size, n_tokens=total * per_shard)
    longer = packed(texts, max_tokens=size, n_tokens=(total + more) * per_shard)
    assert len(longer) >= len(first)
    for one, other in zip(first, longer, strict=False):
        assert one.first_token_index == other.first_token_index
        np.testing.assert_array_equal(one.token_ids, other.token_ids)
    taken = sum(context.n_tokens for context in first)
    all_tokens = sum(len(text) for text in texts)
    assert taken >= min(total * per_shard, all_tokens)
    assert taken < total * per_shard + size


@settings(deadline=None, max_examples=60)
@given(texts=documents, size=sizes, per_shard=st.integers(1, 20), n_shards=st.integers(1, 5))
def test_a_context_belongs_to_the_shard_of_its_first_token(texts, size, per_shard, n_shards):
    contexts = packed(texts, max_tokens=size, n_tokens=per_shard * n_shards)
    shards = list(by_shard(iter(contexts), tokens_per_shard=per_shard, n_shards=n_shards))
    assert [shard for shard, _ in shards] == list(range(n_shards))
    for shard, held in shards:
        assert all(shard * per_shard <= context.first_token_index < (shard + 1) * per_shard for context in held)
    assert sum(len(held) for _, held in shards) == len(contexts)


def test_reads_no_document_more_than_it_needs():
    read = []

    def stream():
        for number in range(10):
            read.append(number)
            yield number, [1, 2, 3]

    contexts = list(pack(stream(), max_tokens=3, n_tokens=6))
    assert len(contexts) == 2
    assert read == [0, 1]
