"""Out of memory: which errors mean it, and how the batch is cut so that the same step still happens."""

from __future__ import annotations

import gc

import torch

from leadline.base.errors import LeadlineError

WORDS = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "std::bad_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, on any device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in WORDS)


def finer(parts: int, *, examples: int, step: int) -> int:
    """The next number of micro-batches to try for a batch of `examples`; LeadlineError LL032 when they are single examples already."""
    if parts >= examples:
        raise LeadlineError(
            "LL032",
            f"out of memory at step {step}, with one example at a time",
            where="training",
            help="use a smaller model or smaller inputs, or train.activation_checkpointing=true, or train.precision=bf16",
        )
    return min(parts * 2, examples)


def release(device: torch.device) -> None:
    """Give freed memory back, so that the smaller try finds it. Call it after the error's traceback is gone."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
