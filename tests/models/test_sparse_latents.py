"""Firing latents taken out of dense slices, against a plain search; and that the host waits for nothing."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import D_MODEL, N_LATENTS, save_model, save_sae
from torch.utils._python_dispatch import TorchDispatchMode

from coactivation_manifolds.errors import GuardRailError
from coactivation_manifolds.models import encoding
from coactivation_manifolds.models.encoding import LatentReader, start_encoding
from coactivation_manifolds.models.hooks import find_hook
from coactivation_manifolds.models.model_loader import load_model
from coactivation_manifolds.models.sae_loader import load_sae
from coactivation_manifolds.models.sparse_latents import PendingLatents, RoomTooSmall, take_entries

VALUES = st.one_of(st.just(0.0), st.floats(0, 7e4, width=32), st.sampled_from([1e-9, 2.0**-24, 65519.0, 65520.0, 1e30]))


def pending(dense, *, slice_rows, room, finite=True):
    slices = [take_entries(rows, room=room * len(rows)) for rows in dense.split(slice_rows) if len(rows)]
    return PendingLatents("blocks.0.hook_resid_post", dense.shape[1], torch.tensor(finite), slices)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_entries_are_those_of_a_plain_search(data):
    n_tokens, n_latents = data.draw(st.integers(0, 9)), data.draw(st.integers(1, 7))
    row = st.lists(VALUES, min_size=n_latents, max_size=n_latents)
    rows = data.draw(st.lists(row, min_size=n_tokens, max_size=n_tokens))
    dense = torch.tensor(rows, dtype=torch.float32).reshape(n_tokens, n_latents)
    slice_rows, room = data.draw(st.integers(1, 10)), data.draw(st.integers(1, 7))
    full = [len(part) and -(-int((part > 0).sum()) // len(part)) for part in dense.split(slice_rows)]
    if max(full, default=0) > room:
        with pytest.raises(RoomTooSmall):
            pending(dense, slice_rows=slice_rows, room=room).collect()
        room = max(full)
    latents = pending(dense, slice_rows=slice_rows, room=room).collect()
    tokens, ids = np.nonzero(dense.numpy() > 0)
    exact = dense.numpy()[tokens, ids]
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(latents.values, exact.astype(np.float16))
    assert latents.offsets.tolist() == [0, *np.cumsum(np.bincount(tokens, minlength=n_tokens)).tolist()]
    assert latents.feature_ids.tolist() == ids.tolist()
    beyond = exact[exact >= 65520]
    np.testing.assert_equal(latents.beyond, float(beyond[0]) if beyond.size else np.nan)


@pytest.mark.parametrize(("n_latents", "kind"), [(65_536, np.uint16), (65_537, np.uint32)])
def test_types_of_ids(n_latents, kind):
    dense = torch.zeros(2, n_latents)
    dense[0, [3, 40_000, n_latents - 1]] = 1.0
    latents = pending(dense, slice_rows=1, room=4).collect()
    assert latents.feature_ids.dtype == kind
    assert latents.feature_ids.tolist() == [3, 40_000, n_latents - 1]


def test_numbers_that_are_none():
    dense = torch.ones(4, 3)
    with pytest.raises(GuardRailError, match=r"activations at blocks\.0\.hook_resid_post hold infinite numbers or NaN"):
        pending(dense, slice_rows=2, room=3, finite=False).collect()
    dense[3, 1] = torch.nan
    with pytest.raises(GuardRailError, match="the SAE gave NaN latents"):
        pending(dense, slice_rows=2, room=3).collect()


class NothingToWaitFor(TorchDispatchMode):
    """Refuses what would make the host wait for a GPU: numbers, and shapes, that only the device knows."""

    WAITS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::unique", "aten::equal")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().split(".")[0]
        masked = name == "aten::index" and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
        )
        assert name not in self.WAITS and not masked, name
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", ["gpt2", "gemma2", "gemma3", "llama"])
@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "topk", "gated"])
def test_a_batch_is_started_without_waiting(tmp_path, monkeypatch, kind, architecture):
    opened = load_model({"path": str(save_model(tmp_path / "model", kind)), "name": None}, device="cpu")
    loaded = load_sae({"path": str(save_sae(tmp_path / "sae", architecture))})
    point = find_hook(opened.model, loaded.hook_name)
    monkeypatch.setattr(encoding, "DENSE_VALUES", 5 * N_LATENTS)
    reader = LatentReader(opened.model, point, loaded, opened.device, front=0, dropped=np.array([2, 3]))
    contexts = [np.arange(4, 4 + length) for length in (9, 12, 1)]
    with NothingToWaitFor(), torch.no_grad():
        started = start_encoding(reader.inputs(contexts), loaded, entries_per_token=N_LATENTS)
    assert len(started.slices) == 5
    assert started.collect().n_tokens == 22


def test_the_mode_notices():
    x = torch.ones(3, D_MODEL)
    for wait in (partial(torch.nonzero, x), lambda: bool(x.any()), lambda: x[x > 0], lambda: x.sum().item()):
        with pytest.raises(AssertionError, match="aten::"), NothingToWaitFor():
            wait()
