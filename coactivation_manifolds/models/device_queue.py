"""Giving a device work without waiting for it, and fetching what has been computed.

A GPU works through what it was given in order, while the host goes on. The host waits where it asks for a number, and
where it copies to or from memory that is not pinned. Without a GPU each step is done when its call returns, and nothing
here copies or waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch


def to_device(array: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """An array on the device, copied when the device comes to it."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


class Mark:
    """The end of what a device has been given so far."""

    def __init__(self, device: torch.device) -> None:
        self._event = None
        if device.type == "cuda":
            # blocking: while it waits, the thread leaves its core to the one that writes
            self._event = torch.cuda.Event(blocking=True)
            self._event.record(torch.cuda.current_stream(device))

    def wait(self) -> None:
        """Return once the device has got there."""
        if self._event is not None:
            self._event.synchronize()


def fetch(tensors: Sequence[torch.Tensor]) -> list[npt.NDArray[Any]]:
    """Copies of finished tensors of one device on the host, while the device goes on with later work.

    Parameters
    ----------
    tensors
        Their values must be there (``Mark.wait``): the copies don't stand in line behind later work.

    """
    device = tensors[0].device if tensors else torch.device("cpu")
    if device.type != "cuda":
        return [np.asarray(tensor) for tensor in tensors]
    side = torch.cuda.Stream(device)
    with torch.cuda.stream(side):
        # to pinned memory, which PyTorch takes for copies that don't block
        copies = [tensor.to("cpu", non_blocking=True) for tensor in tensors]
    side.synchronize()
    return [copy.numpy() for copy in copies]
