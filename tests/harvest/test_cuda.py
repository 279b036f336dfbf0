"""The same harvest on a GPU."""

import numpy as np
import pytest
import torch
from harvest_bench import dense_rows, files_of

from coactivation_manifolds.activations import part_harvest
from coactivation_manifolds.models.encoding import LatentReader
from coactivation_manifolds.models.sparse_latents import PendingLatents

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch.cuda is not available")


@pytest.mark.parametrize("kind", ["gpt2", "gemma2", "gemma3"])
@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "topk"])
def test_the_same_latents_as_on_the_cpu(bench, tmp_path, kind, architecture):
    settings = {"model": bench.model(kind), "sae": bench.sae(architecture)}
    on_cpu = bench.rows(tmp_path / "cpu", **settings)
    on_gpu = bench.rows(tmp_path / "gpu", device="cuda", **settings)
    assert on_gpu.token_index.tolist() == on_cpu.token_index.tolist()
    np.testing.assert_allclose(dense_rows(on_gpu), dense_rows(on_cpu), rtol=5e-3, atol=1e-3)


def test_device_map(bench, tmp_path):
    on_cpu = bench.rows(tmp_path / "cpu")
    spread = bench.rows(tmp_path / "gpu", device="auto", model=bench.model(device_map="auto"))
    np.testing.assert_allclose(dense_rows(spread), dense_rows(on_cpu), rtol=5e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "step"), [("gemma2", "_start"), ("gpt2", "inputs")], ids=["model and SAE", "SAE alone"]
)
def test_the_host_waits_only_where_a_batch_is_fetched(bench, tmp_path, monkeypatch, kind, step):
    """But for models with fused attention (GPT-2): transformers asks of each mask whether it hides anything."""
    plain, calls = getattr(LatentReader, step), []
    mode = torch.cuda.set_sync_debug_mode

    def watched(self, *args):
        mode("error" if step == "_start" else "default")
        found = plain(self, *args)
        mode("default" if step == "_start" else "error")
        calls.append(step)
        return found

    collect = PendingLatents.collect

    def unwatched(pending):
        mode("default")
        return collect(pending)

    monkeypatch.setattr(LatentReader, step, watched)
    monkeypatch.setattr(PendingLatents, "collect", unwatched)
    monkeypatch.setattr(part_harvest, "first_batch", lambda *_, **__: None)
    try:
        bench.rows(tmp_path, model=bench.model(kind), device="cuda")
    finally:
        mode("default")
    assert len(calls) > 5


def test_room_that_is_too_small_gives_the_same_files(bench, tmp_path, little_room):
    bench.plan(tmp_path)
    before = files_of(bench.harvest(tmp_path, device="cuda"))
    for path in (tmp_path / "activations" / "shard=000000").iterdir():
        path.unlink()
    little_room()
    assert files_of(bench.harvest(tmp_path, device="cuda")) == before
