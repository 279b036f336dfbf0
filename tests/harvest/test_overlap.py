"""Batches are computed, fetched and written at the same time; the files are what they would be one after the other."""

import json
import multiprocessing
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from harvest_bench import files_of

from coactivation_manifolds.activations import part_harvest
from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.errors import GuardRailError, StorageError
from coactivation_manifolds.models import encoding
from coactivation_manifolds.models.sparse_latents import PendingLatents, take_entries

# forked, so that the children need not import torch again
fork = multiprocessing.get_context("fork")


@pytest.fixture
def out(bench, tmp_path):
    bench.plan(tmp_path)
    return tmp_path


def test_a_batch_is_fetched_when_the_next_has_been_started(bench, out, monkeypatch):
    steps = []
    start, collect = encoding.start_encoding, PendingLatents.collect

    def noted_start(*args, **kwargs):
        steps.append("start")
        return start(*args, **kwargs)

    def noted_collect(pending):
        steps.append("fetch")
        return collect(pending)

    monkeypatch.setattr(encoding, "start_encoding", noted_start)
    monkeypatch.setattr(PendingLatents, "collect", noted_collect)
    bench.harvest(out)
    n = len(steps) // 2
    assert n > 5
    assert steps == ["start", *["start", "fetch"] * (n - 1), "fetch"]


def test_too_little_room_is_made_good(bench, out, little_room, caplog):
    manifest = bench.harvest(out)
    before = files_of(manifest)
    for path in manifest.parent.iterdir():
        path.unlink()
    little_room()
    with caplog.at_level("INFO"):
        bench.harvest(out)
    assert "batch 0 is run again" in caplog.text
    assert files_of(manifest) == before


def test_a_batch_that_was_under_way_gets_the_room_that_the_one_before_needed(bench, out, little_room, caplog):
    little_room()
    with caplog.at_level("INFO"):
        bench.harvest(out)
    again = [re.search(r"batch (\d+) is run again with room for (\d+)", message) for message in caplog.messages]
    rooms = [(int(found[1]), int(found[2])) for found in again if found]
    of_first, of_second = ([room for batch, room in rooms if batch == number] for number in (0, 1))
    assert of_first == [2 ** (k + 1) for k in range(len(of_first))]
    assert of_second[0] == of_first[-1]


def test_an_error_of_the_writer_is_the_one_that_is_told(bench, out, monkeypatch):
    write = ShardWriter.write_part

    def full(self, number, *args, **kwargs):
        if number == 2:
            raise StorageError("part 2: no space left on device")
        return write(self, number, *args, **kwargs)

    monkeypatch.setattr(ShardWriter, "write_part", full)
    with pytest.raises(StorageError, match="part 2: no space left on device"):
        bench.harvest(out, batches_per_part=1)
    written = sorted(path.name for path in (out / "activations" / "shard=000000").iterdir())
    assert written == ["part-00000.parquet", "part-00001.parquet"]


def test_parts_before_a_bad_batch_are_kept(bench, out, monkeypatch):
    collect, calls = PendingLatents.collect, []

    def bad(pending):
        calls.append(pending)
        if len(calls) == 4:
            raise GuardRailError("the SAE gave NaN latents")
        return collect(pending)

    monkeypatch.setattr(PendingLatents, "collect", bad)
    with pytest.raises(GuardRailError, match="NaN latents"):
        bench.harvest(out, batches_per_part=1)
    written = sorted(path.name for path in (out / "activations" / "shard=000000").iterdir())
    assert written == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]


@pytest.mark.parametrize("n_latents", [4, 70_000])
def test_values_that_float16_can_not_hold(n_latents):
    """The rules of to_float16, for values that the device has rounded."""
    numbers = np.arange(10, 13)
    tokens = SimpleNamespace(doc_id=numbers, token_index=numbers, position_in_doc=numbers, token_id=numbers)
    plan = SimpleNamespace(tokens=tokens, kept_tokens=lambda _: np.array([0, 2]))
    dense = torch.zeros(2, n_latents)
    dense[0, 1], dense[1, 0], dense[1, 3] = 2.0, 1e-12, 1e-9

    def rows():
        entries = take_entries(dense, room=9)
        latents = PendingLatents("hook", n_latents, torch.tensor(True), [entries]).collect()
        return part_harvest.batch_rows(plan, 0, latents, n_latents)

    made = rows()
    assert made.activations.tolist() == [2.0, 2.0**-24, 2.0**-24]
    assert made.raised.tolist() == [1, 2]
    assert made.token_index.tolist() == [10, 12]
    dense[1, 2], dense[1, 3] = 70_000.0, 80_000.0
    with pytest.raises(GuardRailError, match="token_index 12, latent 2: the activation 70000 is beyond"):
        rows()


def test_two_shards_at_once_are_as_one_after_the_other(bench, tmp_path):
    """As on two GPUs: one job a shard, each with a device of its own."""
    for name in ("apart", "together"):
        bench.plan(tmp_path / name, tokens_per_shard=200)
    apart = [bench.harvest(tmp_path / "apart", shard=shard, batches_per_part=1) for shard in (0, 1)]
    children = [
        fork.Process(
            target=bench.harvest, args=(tmp_path / "together",), kwargs={"shard": shard, "batches_per_part": 1}
        )
        for shard in (1, 0)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]
    for manifest in apart:
        assert len(json.loads(manifest.read_text())["parts"]) > 3
        twin = tmp_path / "together" / manifest.relative_to(tmp_path / "apart")
        assert files_of(twin) == files_of(manifest)
