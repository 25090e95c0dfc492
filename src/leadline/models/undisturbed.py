"""Looking at a model without leaving a trace: eval mode and no gradients inside, module modes and all generators as they were after."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Within: `model` in eval mode, no gradients. After: each module's own mode and the Python, NumPy, torch and device generators back."""
    modes = [(module, module.training) for module in model.modules()]
    with generators_kept():
        model.eval()
        try:
            # no_grad and not inference_mode: a buffer that a model caches in here must still be usable in training.
            with torch.no_grad():
                yield
        finally:
            for module, mode in modes:
                module.training = mode


@contextmanager
def generators_kept() -> Iterator[None]:
    """Put every global random generator back to the bit when leaving."""
    python, legacy, host = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        torch.set_rng_state(host)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None:
            torch.mps.set_rng_state(mps)
