import json
import logging

import pytest
from tiny_models import random_texts, save_jsonl, save_model, save_sae, save_tokenizer

from coactivation_manifolds import schemas
from coactivation_manifolds.corpus.plan import plan_corpus, read_corpus_shard
from coactivation_manifolds.corpus.tokenizer import load_tokenizer, piece_text, tokenizer_facts, vocabulary
from coactivation_manifolds.errors import ConfigError, InputError, ResultsError
from coactivation_manifolds.storage import read_table


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    save_model(folder / "model")
    save_sae(folder / "sae")
    save_jsonl(folder / "corpus.jsonl", random_texts(n=40))
    return folder


def make_plan(home, out, *, tokens_per_shard=100, sae=None, **corpus):
    settings = {
        "source": "jsonl",
        "path": str(home / "corpus.jsonl"),
        "text_column": "text",
        "context_length": 11,
        "n_tokens": 300,
        "pack_across_documents": False,
        "invalid_utf8": "error",
    }
    plan_corpus(
        settings | corpus,
        {"path": str(home / "model")},
        sae or {"path": str(home / "sae")},
        tokens_per_shard=tokens_per_shard,
        plan_path=out / "corpus" / "plan.json",
        vocab_path=out / "metadata" / "vocab.parquet",
    )
    return out / "corpus" / "plan.json"


def shard_bytes(plan):
    return {path.name: path.read_bytes() for path in sorted(plan.parent.glob("shard=*.parquet"))}


def test_shards(home, tmp_path):
    plan = make_plan(home, tmp_path)
    shards = [read_corpus_shard(plan, shard) for shard in range(3)]
    ids = [token for text in random_texts(n=40) for token in load_tokenizer({"path": str(home / "model")}).encode(text)]
    found = [token for shard in shards for token in shard.token_id.tolist()]
    assert found == ids[: len(found)]
    assert 300 <= len(found) < 310
    assert [index for shard in shards for index in shard.token_index.tolist()] == list(range(len(found)))
    for number, shard in enumerate(shards):
        assert number * 100 <= shard.token_index[0] < number * 100 + 10
        lengths = shard.context_offsets[1:] - shard.context_offsets[:-1]
        assert lengths.max() <= 10
        for start, end in zip(shard.context_offsets[:-1], shard.context_offsets[1:], strict=True):
            assert len(set(shard.doc_id[start:end])) == 1
            assert list(shard.position_in_doc[start:end]) == list(
                range(shard.position_in_doc[start], shard.position_in_doc[start] + end - start)
            )
            assert shard.position_in_doc[start] % 10 == 0
    table = read_table(plan.parent / "shard=000001.parquet")
    assert table.schema.remove_metadata() == schemas.CORPUS_SHARD


def test_same_bytes_each_time_and_under_more_tokens(home, tmp_path):
    two = make_plan(home, tmp_path / "two", n_tokens=200)
    three = make_plan(home, tmp_path / "three", n_tokens=300)
    again = make_plan(home, tmp_path / "again", n_tokens=300)
    assert shard_bytes(three) == shard_bytes(again)
    assert three.read_bytes() == again.read_bytes()
    assert shard_bytes(two).items() <= shard_bytes(three).items()


def test_fewer_shards_leave_no_stale_ones(home, tmp_path):
    make_plan(home, tmp_path, n_tokens=300)
    plan = make_plan(home, tmp_path, n_tokens=200)
    assert list(shard_bytes(plan)) == ["shard=000000.parquet", "shard=000001.parquet"]


def test_corpus_that_ends_early(home, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        plan = make_plan(home, tmp_path, n_tokens=2_000, tokens_per_shard=250)
    total = json.loads(plan.read_text())["n_tokens"]
    assert total == sum(len(text.split()) for text in random_texts(n=40))
    assert f"the corpus ended after {total} of corpus.n_tokens = 2000 tokens; 4 of 8 shards are empty" in caplog.text
    assert len(shard_bytes(plan)) == 8
    empty = read_corpus_shard(plan, 7)
    assert empty.n_tokens == empty.n_contexts == 0


def test_packing_across_documents(home, tmp_path):
    plan = make_plan(home, tmp_path, pack_across_documents=True)
    shard = read_corpus_shard(plan, 0)
    assert set(shard.context_offsets[1:] - shard.context_offsets[:-1]) == {10}
    assert shard.n_tokens == 100


def test_vocabulary_of_words(home, tmp_path):
    make_plan(home, tmp_path)
    table = read_table(tmp_path / "metadata" / "vocab.parquet")
    assert table.schema.remove_metadata() == schemas.VOCAB
    assert table["token_id"].to_pylist() == list(range(64))
    assert table["text"].to_pylist()[:6] == ["<bos>", "<eos>", "<pad>", "<unk>", "w0", "w1"]


class TestErrors:
    def test_context_longer_than_the_model(self, home, tmp_path):
        with pytest.raises(ConfigError, match=r"corpus.context_length is 65, but the model .* sees at most 64 tokens"):
            make_plan(home, tmp_path, context_length=65)
        assert not tmp_path.joinpath("corpus").exists()

    def test_unknown_sae(self, home, tmp_path):
        sae = {"release": "gpt2-small-res-jb", "sae_id": "blocks.7.hook_resid_pr"}
        with pytest.raises(ConfigError, match=r"has no sae_id .*nearest: blocks\.7\.hook_resid_pre"):
            make_plan(home, tmp_path, sae=sae)

    def test_corpus_without_a_token(self, home, tmp_path):
        path = save_jsonl(tmp_path / "empty.jsonl", ["", " "])
        with pytest.raises(InputError, match="the corpus holds no token"):
            make_plan(home, tmp_path, path=str(path))
        assert not (tmp_path / "corpus" / "plan.json").exists()

    def test_no_model_folder(self, home, tmp_path):
        with pytest.raises(InputError, match=r"the folder .* does not exist"):
            load_tokenizer({"path": str(tmp_path / "none")})
        (tmp_path / "hollow").mkdir()
        with pytest.raises(InputError, match="can't load the tokenizer of"):
            load_tokenizer({"path": str(tmp_path / "hollow")})
        with pytest.raises(ConfigError, match=r"give either model.name"):
            load_tokenizer({})

    def test_changed_shard(self, home, tmp_path):
        plan = make_plan(home, tmp_path)
        other = make_plan(home, tmp_path / "other", context_length=8)
        (plan.parent / "shard=000000.parquet").write_bytes((other.parent / "shard=000000.parquet").read_bytes())
        remedy = r"delete .*plan\.json and run the same command again, which makes both anew: rm .*plan\.json$"
        with pytest.raises(ResultsError, match=f"its SHA-256 differs.*{remedy}"):
            read_corpus_shard(plan, 0)
        (plan.parent / "shard=000001.parquet").write_bytes(b"PAR1")
        with pytest.raises(ResultsError, match=r"shard=000001\.parquet is not the file that"):
            read_corpus_shard(plan, 1)
        (plan.parent / "shard=000001.parquet").unlink()
        with pytest.raises(ResultsError, match=f"shard=000001.parquet is missing; {remedy}"):
            read_corpus_shard(plan, 1)
        with pytest.raises(ResultsError, match="has no shard 9"):
            read_corpus_shard(plan, 9)


def test_special_ids_of_a_tokenizer_without_eos(tmp_path):
    tokenizer = load_tokenizer({"path": str(save_tokenizer(tmp_path / "t", eos=False))})
    facts = tokenizer_facts(tokenizer)
    assert facts["bos_token_id"] == 0
    assert facts["eos_token_id"] is None
    assert facts["special_token_ids"] == [0, 2, 3]


class TestVocabularyText:
    @pytest.fixture
    def byte_level(self):
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
        from transformers import PreTrainedTokenizerFast

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=300,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<|endoftext|>"],
            show_progress=False,
        )
        tokenizer.train_from_iterator(["the grün house\n of the \u20ac"] * 50, trainer)
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")

    def test_byte_level(self, byte_level):
        texts = vocabulary(byte_level)
        assert len(texts) == len(byte_level)
        assert texts[0] == "<|endoftext|>"
        assert " the" in texts
        assert "\n" in texts
        # a lone byte of a longer character is written out, not as U+FFFD
        assert texts[byte_level.convert_tokens_to_ids("â")] == "\\xe2"
        for text in ("the house", " grün"):
            assert "".join(texts[number] for number in byte_level.encode(text)) == text

    def test_sentencepiece_keeps_the_leading_space(self):
        from tokenizers import decoders

        steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        decoder = decoders.Sequence(steps)
        assert piece_text("▁the", decoder) == " the"
        assert piece_text("the", decoder) == "the"
        assert piece_text("<0x0A>", decoder) == "\n"
        assert piece_text("<0xE2>", decoder) == "<0xE2>"
