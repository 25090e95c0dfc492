"""The `train` block of a recipe. "auto" values are chosen from the data before training and written, resolved, to the run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from leadline.base.spec import Spec
from leadline.data.settings import AugmentSpec as AugmentSpec


class OptimizerSpec(Spec):
    """The optimizer. Weight decay skips norms and biases."""

    name: Literal["auto", "sgd", "adagrad", "rmsprop", "adam", "adamw", "muon"] = "auto"
    lr: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Peak learning rate."""
    weight_decay: Annotated[float, Field(ge=0)] | Literal["auto"] = "auto"
    """Decay per step as a multiple of the learning rate (decoupled for adamw and muon)."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """For sgd, rmsprop and muon."""
    nesterov: bool = False
    """Nesterov's look-ahead, for sgd and muon."""
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    depth_decay: float = Field(default=1.0, gt=0, le=1)
    """Learning rate of each block as a multiple of the next deeper one's; 1.0: all equal. For fine-tuning 0.65 to 0.9."""


class ScheduleSpec(Spec):
    """The learning rate over the steps, drawn before the first one."""

    name: Literal["auto", "constant", "step", "cosine", "plateau", "one_cycle", "wsd"] = "auto"
    warmup: Annotated[float, Field(ge=0)] | Literal["auto"] = "auto"
    """Share of all steps (below 1) or number of steps (1 and above) in which the rate rises from near 0."""
    floor: float = Field(default=0.0, ge=0, le=1)
    """Lowest rate at the end, as a share of the peak (cosine, one_cycle, wsd)."""
    every: int = Field(default=10, ge=1)
    """Epochs between two drops (step)."""
    gamma: float = Field(default=0.1, gt=0, lt=1)
    """Factor of a drop (step, plateau)."""
    patience: int = Field(default=3, ge=1)
    """Epochs without a better validation score before a drop (plateau)."""
    decay: float = Field(default=0.2, gt=0, le=1)
    """Share of all steps in the final decay (wsd)."""


class EarlyStopSpec(Spec):
    """Stop when the validation score no longer gets better."""

    patience: int = Field(default=5, ge=1)
    """Epochs without a better score before the run stops."""
    min_delta: float = Field(default=0.0, ge=0)
    """Smallest difference that counts as better."""


class TrainSpec(Spec):
    """How the network is trained."""

    epochs: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Passes over the training examples."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Examples per step, over all processes and micro-batches together."""
    optimizer: OptimizerSpec = OptimizerSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto: measured on this machine for two seconds; the measurement is written to the run."""
    channels_last: bool | Literal["auto"] = "auto"
    """Memory layout of images."""
    matmul: Literal["auto", "highest", "medium"] = "auto"
    """Precision of float32 matrix products on this machine, as torch.set_float32_matmul_precision takes it."""
    attention: Literal["auto", "fused", "textbook"] = "auto"
    """How attention is computed: by one kernel, or step by step as the formula is written; auto: measured, for it hangs on the length."""
    threads: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """CPU threads; auto: all, or one where that is as fast, measured for a second. Results are equal to the bit for equal numbers only."""
    accumulate: int = Field(default=1, ge=1)
    """Micro-batches per step; the result equals the big batch of batch_size examples, cut into this many parts."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """Largest total gradient norm; null: no clipping."""
    ema: float | None = Field(default=None, gt=0, lt=1)
    """Decay of an exponential moving average of the weights, which is then validated and kept; null: off."""
    early_stop: EarlyStopSpec | Literal["auto"] | None = "auto"
    seed: int = Field(default=0, ge=0, lt=2**31)
    augment: AugmentSpec | Literal["auto", "none"] = "auto"
    loss: Literal["auto", "cross_entropy", "mse", "mae", "huber"] = "auto"
    """auto: cross-entropy for labels, mean squared error for numbers."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: each class weighs the same in the loss."""
    mask_rate: float = Field(default=0.15, gt=0, lt=1)
    """Share of the tokens that fill_mask hides and asks for."""
    beta: float = Field(default=0.1, gt=0)
    """How dear it is for prefer to leave its reference (DPO)."""
    temperature: float = Field(default=0.05, gt=0)
    """What embed_text divides likenesses by before it compares them."""
    oversample: bool = False
    """Draw rare classes more often, so that each class is seen equally often."""
    activation_checkpointing: bool = False
    """Trade time for memory: activations of the model's blocks are computed again in the backward pass."""
    compile: bool = False
    """torch.compile the model."""
    checkpoint_every_s: float = Field(default=60.0, gt=0)
    """Seconds between two saves in mid-epoch; one is saved after each epoch too."""
    on_nonfinite: Literal["stop", "skip"] = "stop"
    """What a NaN or infinite loss or gradient does; skip: at most 3 in a row."""
