"""The plan job: read and tokenise the corpus once, and write the token shards that the harvest jobs read.

A streaming corpus is so read once, not once a shard; each shard can then be harvested alone, on any machine.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds import schemas
from coactivation_manifolds.corpus.packing import Context, pack
from coactivation_manifolds.corpus.sources import Document, read_documents
from coactivation_manifolds.corpus.tokenizer import (
    check_context_length,
    load_tokenizer,
    tokenize,
    tokenizer_facts,
    vocabulary,
)
from coactivation_manifolds.errors import InputError, ResultsError
from coactivation_manifolds.experiment.config import plan_settings
from coactivation_manifolds.experiment.pretrained_table import check_sae
from coactivation_manifolds.paths import CORPUS_SHARD
from coactivation_manifolds.storage import (
    PathLike,
    command_to_restore,
    how_to_restore,
    read_json,
    read_table,
    sha256_file,
    write_json,
    write_table,
)

logger = logging.getLogger(__name__)

DOCUMENTS_AT_ONCE = 64
"""Documents given to the tokenizer together; without influence on the result."""

SLOTS_IN_FRONT = 1
"""Each context leaves one slot for the special token that the harvest may put in front."""


def shard_file(plan_path: PathLike, shard: int) -> Path:
    """The token shard that lies beside a plan."""
    return Path(plan_path).parent / Path(CORPUS_SHARD.format(experiment="", shard=f"{shard:06d}")).name


def plan_corpus(
    corpus: Mapping[str, Any],
    model: Mapping[str, Any],
    sae: Mapping[str, Any],
    *,
    tokens_per_shard: int,
    plan_path: PathLike,
    vocab_path: PathLike,
) -> None:
    """Tokenise and pack the corpus into token shards; write them, the vocabulary and, last, the plan.

    Shard s holds the contexts whose first token has an index in [s * tokens_per_shard, (s + 1) * tokens_per_shard).
    More tokens in the config add shards and leave full ones as they are. Where the corpus ends early, the shards left
    are empty, with a warning.

    Parameters
    ----------
    corpus, model, sae
        Sections of the experiment file. Of the SAE only its name is checked here.
    tokens_per_shard
        Own tokens planned for one shard.
    plan_path, vocab_path
        Files to write; the shards lie beside the plan.

    Raises
    ------
    ConfigError
        Unknown SAE, contexts longer than the model's maximum, or no source.
    InputError
        The corpus or the tokenizer can't be read, or the corpus has no token.

    """
    check_sae(sae)
    context_length, n_tokens = int(corpus["context_length"]), int(corpus["n_tokens"])
    check_context_length(context_length, model)
    tokenizer = load_tokenizer(model)
    texts = vocabulary(tokenizer)
    vocab = {"token_id": np.arange(len(texts), dtype=np.int32), "text": texts}
    write_table(schemas.conform(vocab, schemas.VOCAB), vocab_path)

    contexts = pack(
        tokenized(read_documents(corpus), tokenizer),
        max_tokens=context_length - SLOTS_IN_FRONT,
        across_documents=bool(corpus.get("pack_across_documents", False)),
        n_tokens=n_tokens,
    )
    n_shards = -(-n_tokens // tokens_per_shard)
    shards = []
    for shard, held in by_shard(contexts, tokens_per_shard=tokens_per_shard, n_shards=n_shards):
        shards.append(write_shard(held, shard_file(plan_path, shard)))
        logger.info("shard %d of %d: %d tokens", shard + 1, n_shards, shards[-1]["n_tokens"])
    found = sum(shard["n_tokens"] for shard in shards)
    if found == 0:
        raise InputError(
            f"the corpus holds no token ({corpus.get('path') or corpus.get('name')}): its documents are empty"
        )
    if found < n_tokens:
        n_empty = sum(shard["n_tokens"] == 0 for shard in shards)
        logger.warning(
            "the corpus ended after %d of corpus.n_tokens = %d tokens; %d of %d shards are empty",
            found,
            n_tokens,
            n_empty,
            n_shards,
        )
    remove_stale_shards(plan_path, n_shards)
    write_json(
        {
            "n_tokens": found,
            "n_tokens_asked": n_tokens,
            "tokens_per_shard": tokens_per_shard,
            "context_length": context_length,
            "pack_across_documents": bool(corpus.get("pack_across_documents", False)),
            "tokenizer": tokenizer_facts(tokenizer),
            "settings": plan_settings(corpus, model, sae, tokens_per_shard=tokens_per_shard),
            "shards": shards,
        },
        plan_path,
    )


def tokenized(documents: Iterator[Document], tokenizer: Any) -> Iterator[tuple[int, list[int]]]:
    """Number and token ids of each document."""
    while batch := list(islice(documents, DOCUMENTS_AT_ONCE)):
        ids = tokenize(tokenizer, [document.text for document in batch])
        yield from zip((document.doc_id for document in batch), ids, strict=True)


def by_shard(
    contexts: Iterator[Context], *, tokens_per_shard: int, n_shards: int
) -> Iterator[tuple[int, list[Context]]]:
    """The contexts of each shard in turn, the empty shards too."""
    shard = 0
    held: list[Context] = []
    for context in contexts:
        own = context.first_token_index // tokens_per_shard
        while shard < own:
            yield shard, held
            shard, held = shard + 1, []
        held.append(context)
    while shard < n_shards:
        yield shard, held
        shard, held = shard + 1, []


def shard_table(contexts: list[Context]) -> pa.Table:
    """Contexts as rows of a token shard."""
    columns: dict[str, list[npt.NDArray[np.int64]]] = {field.name: [] for field in schemas.CORPUS_SHARD}
    for context in contexts:
        columns["context"].append(np.full(context.n_tokens, context.number, dtype=np.int64))
        columns["doc_id"].append(context.doc_ids)
        columns["token_index"].append(context.first_token_index + np.arange(context.n_tokens, dtype=np.int64))
        columns["position_in_doc"].append(context.positions)
        columns["token_id"].append(context.token_ids)
    joined = {name: np.concatenate([*parts, np.empty(0, dtype=np.int64)]) for name, parts in columns.items()}
    return schemas.conform(joined, schemas.CORPUS_SHARD)


def write_shard(contexts: list[Context], path: Path) -> dict[str, Any]:
    """Write one token shard and describe it for the plan."""
    table = shard_table(contexts)
    write_table(table, path)
    return {
        "file": path.name,
        "n_contexts": len(contexts),
        "n_tokens": table.num_rows,
        "first_token_index": contexts[0].first_token_index if contexts else None,
        "sha256": sha256_file(path),
    }


def remove_stale_shards(plan_path: PathLike, n_shards: int) -> None:
    """Remove token shards of an earlier plan that had more of them."""
    known = {shard_file(plan_path, shard).name for shard in range(n_shards)}
    for file in Path(plan_path).parent.glob("shard=*.parquet"):
        if file.name not in known:
            file.unlink()


@dataclass(frozen=True)
class CorpusShard:
    """The tokens of one shard, in corpus order, and where its contexts begin and end.

    Context i owns rows ``context_offsets[i]`` to ``context_offsets[i + 1]``. ``tokenizer`` holds the plan's tokenizer
    facts, ``sha256`` is the hash of the file.
    """

    doc_id: npt.NDArray[np.int64]
    token_index: npt.NDArray[np.int64]
    position_in_doc: npt.NDArray[np.int32]
    token_id: npt.NDArray[np.int32]
    context_offsets: npt.NDArray[np.int64]
    tokenizer: dict[str, Any]
    sha256: str

    @property
    def n_tokens(self) -> int:
        """Own tokens of the shard."""
        return len(self.token_id)

    @property
    def n_contexts(self) -> int:
        """Contexts of the shard."""
        return len(self.context_offsets) - 1


def read_corpus_shard(plan_path: PathLike, shard: int) -> CorpusShard:
    """Read one token shard and check it against the plan.

    Raises
    ------
    InputError
        The plan or the shard is missing or damaged.
    ResultsError
        The plan has no such shard, or the shard's bytes are not those that the plan recorded.

    """
    plan = read_json(plan_path)
    try:
        record = plan["shards"][shard]
        tokenizer = dict(plan["tokenizer"])
    except (KeyError, IndexError, TypeError) as error:
        raise ResultsError(f"{plan_path} has no shard {shard}; {how_to_restore(plan_path)}") from error
    path = shard_file(plan_path, shard)
    # before it is opened: what a damaged file would say of itself is no help, as no rule makes it alone
    sha256 = sha256_file(path) if path.exists() else ""
    if sha256 != record["sha256"]:
        what = "is missing" if not sha256 else f"is not the file that {plan_path} recorded (its SHA-256 differs)"
        raise ResultsError(
            f"{path} {what}; delete {plan_path} and run the same command again, which makes both anew: "
            f"{command_to_restore(plan_path)}"
        )
    table = read_table(path)
    schemas.require_columns(table, schemas.CORPUS_SHARD, path)
    context = table["context"].to_numpy()
    starts = np.flatnonzero(np.r_[True, context[1:] != context[:-1]]) if len(context) else np.empty(0, np.int64)
    return CorpusShard(
        doc_id=table["doc_id"].to_numpy(),
        token_index=table["token_index"].to_numpy(),
        position_in_doc=table["position_in_doc"].to_numpy(),
        token_id=table["token_id"].to_numpy(),
        context_offsets=np.r_[starts, len(context)].astype(np.int64),
        tokenizer=tokenizer,
        sha256=sha256,
    )
