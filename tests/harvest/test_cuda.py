"""The same harvest on a GPU."""

import numpy as np
import pytest
import torch
from harvest_bench import dense_rows

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
