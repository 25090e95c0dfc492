"""More whole healthy programs: own optimizers, losses through derivatives, rewards, experts, masks, layers left out by chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from zoo import score
from zoo.data import cut, images, masks, points, sequences, table, texts
from zoo.families import gpt, mlp, unet
from zoo.program import Data, Program, Setup, with_optimizer
from zoo.unusual import Gan, closeness, whole


def plain_mlp(seed: int, *, steps: int = 350, lr: float = 2e-3, **rest: Any) -> Setup:
    """A perceptron on digits, to be changed."""
    facts = {"score": score.accuracy(), "chance": 0.12, "good": 0.9, "family": "mlp", "num_classes": 10, "head": "4"}
    model = rest.pop("model", None) or mlp.model(64, 10)
    return whole(model, nn.CrossEntropyLoss(), table("digits"), lr=lr, steps=steps, batch=32, seed=seed, **{**facts, **rest})


class Lion(torch.optim.Optimizer):
    """Sign of the averaged gradient (Chen et al. 2023), written by hand as people do."""

    def __init__(self, params: Any, lr: float, decay: float = 0.01) -> None:
        super().__init__(params, {"lr": lr, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["decay"]).sub_(group["lr"] * mean.lerp(p.grad, 0.1).sign())
                mean.lerp_(p.grad, 0.01)


def lion(seed: int) -> Setup:
    """An optimizer that torch does not know."""
    return with_optimizer(plain_mlp(seed), lambda p: Lion(p, 6e-4))


def fused(seed: int) -> Setup:
    """Adam in its fused form."""
    return with_optimizer(plain_mlp(seed), lambda p: torch.optim.AdamW(p, lr=2e-3, fused=True))


class Checkpointed(nn.Module):
    """Hidden layers run twice to save memory."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner = nn.Linear(64, 48), nn.Sequential(nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
        self.last = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Class logits."""
        return self.last(checkpoint(self.inner, self.first(x), use_reentrant=False))


def checkpointed(seed: int) -> Setup:
    """Gradient checkpointing."""
    return plain_mlp(seed, model=Checkpointed(), head="last")


class Experts(nn.Module):
    """Four experts, the best one for each row: in a small batch some get no row and no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(64, 4)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """Class logits."""
        weights = self.gate(x).softmax(1)
        best, out = weights.argmax(1), x.new_zeros(len(x), 10)
        for index, expert in enumerate(self.experts):
            rows = best == index
            if rows.any():
                out[rows] = expert(x[rows]) * weights[rows, index, None] * 4  # times 4: near 1 for an even gate
        return out


def experts(seed: int) -> Setup:
    """A sparse mixture of experts, all parameters in the optimizer."""
    return plain_mlp(seed, model=Experts(), head="gate")


class SkippedLayers(nn.Module):
    """Residual layers, each left out in a third of the training steps."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.end = nn.Linear(64, 48), nn.Linear(48, 10)
        self.layers = nn.ModuleList(nn.Linear(48, 48) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """Class logits."""
        x = self.start(x)
        for layer in self.layers:
            if not self.training or torch.rand(()) > 0.33:
                x = x + F.relu(layer(x)) * (1.0 if self.training else 0.67)
        return self.end(x)


def skipped_layers(seed: int) -> Setup:
    """Stochastic depth: parameters without gradient come and go."""
    return plain_mlp(seed, model=SkippedLayers(), head="end")


def unfreezing(seed: int) -> Setup:
    """Layers are set free one by one, the head first."""

    def free(setup: Setup, epoch: int) -> None:
        layers = [module for module in setup.model if isinstance(module, nn.Linear)]  # type: ignore[union-attr]
        for depth, layer in enumerate(reversed(layers)):
            layer.requires_grad_(epoch >= 2 * depth)

    return plain_mlp(seed, new_epoch=free)


def pinn(seed: int) -> Setup:
    """A net that solves u'' = -u from random points: the loss is made of its own second derivative; there are no targets."""
    call = lambda model, batch: model(batch[0])  # noqa: E731

    def objective(setup: Setup, output: Any, batch: Data) -> Tensor:
        x = batch[0].clone().requires_grad_(True)
        with torch.enable_grad():
            u = setup.model(x)
            slope = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
            bend = torch.autograd.grad(slope.sum(), x, create_graph=True)[0]
            ends = setup.model(torch.tensor([[0.0], [math.pi / 2]])) - torch.tensor([[0.0], [1.0]])  # sin: 0 at 0, 1 at pi / 2
        return setup.loss_fn(bend, -u) + 10 * ends.pow(2).mean()

    x = torch.rand(1500, 1, generator=torch.Generator().manual_seed(1)) * math.pi / 2
    rest = {"objective": objective, "score": score.r_squared(call), "chance": 0.0, "good": 0.9, "family": "pinn", "task": "pinn"}
    model = mlp.model(1, 1, width=32, activation=nn.Tanh)
    return whole(model, nn.MSELoss(), cut(x, x.sin()), lr=5e-3, steps=400, batch=64, seed=seed, **rest)


def rewards(seed: int) -> Setup:
    """REINFORCE: the loss is the reward times a log-probability; its value says nothing and need not fall."""

    def objective(setup: Setup, output: Any, batch: Data) -> Tensor:
        policy = torch.distributions.Categorical(logits=output)
        action = policy.sample()
        reward = (action == batch[1]).float()
        return -(policy.log_prob(action) * (reward - setup.state.setdefault("base", 0.3))).mean() - 0.01 * policy.entropy().mean()

    return plain_mlp(seed, steps=800, lr=5e-3, objective=objective, task="reward", good=0.65)


class BothWays(nn.Module):
    """A recurrent net that reads from both ends."""

    def __init__(self, vocab: int) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(vocab, 24), nn.GRU(24, 32, batch_first=True, bidirectional=True)
        self.out = nn.Linear(64, vocab)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits of every place."""
        return self.out(self.rnn(self.embed(ids))[0])


def masked(seed: int) -> Setup:
    """Masked characters: targets are -100 but for a sixth of the places."""
    three, vocab = texts("grammar")
    source = torch.Generator().manual_seed(9)

    def hide(data: Data) -> Data:
        x = data[0].clone()
        where = torch.rand(x.shape, generator=source) < 0.16
        y = torch.where(where, x, -100)
        x[where] = vocab
        return x, y

    def guess(setup: Setup) -> float:
        x, y = setup.test_data
        with score.judged(setup):
            best = setup.model(x).argmax(-1)
        return (best == y)[y >= 0].float().mean().item()

    first, second, third = (hide(part) for part in three)
    rest = {"score": guess, "chance": 0.2, "good": 0.6, "family": "rnn", "task": "masked", "head": "out", "num_classes": vocab + 1}
    return whole(BothWays(vocab + 1), gpt.TokenLoss(), (first, second, third), lr=8e-3, steps=400, batch=16, seed=seed, **rest)


class Dice(nn.Module):
    """One minus the soft overlap of probabilities and masks, plus cross-entropy."""

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        """The mean over classes."""
        p, real = logits.softmax(1), F.one_hot(y, logits.shape[1]).movedim(-1, 1).float()
        overlap = 2 * (p * real).sum((0, 2, 3)) / (p + real).sum((0, 2, 3)).clamp(min=1e-6)
        return 1 - overlap.mean() + F.cross_entropy(logits, y)


def dice(seed: int) -> Setup:
    """A segmentation by overlap."""
    rest = {"score": score.mean_iou, "chance": 0.28, "good": 0.6, "family": "unet", "task": "segment", "head": "final", "num_classes": 3}
    return whole(unet.model(3), Dice(), masks("shapes"), lr=5e-3, steps=150, batch=16, seed=seed, **rest)


def counts(seed: int) -> Setup:
    """Poisson likelihood of counts: the loss may lie below zero."""
    source = torch.Generator().manual_seed(2)
    x = torch.randn(2000, 6, generator=source)
    rate = (x @ torch.tensor([0.5, -0.4, 0.3, 0.0, 0.2, 0.0]) + 1.5).exp()
    y = torch.poisson(rate, generator=source)[:, None]
    call = lambda model, batch: model(batch[0]).exp()  # noqa: E731
    rest = {"score": score.r_squared(call), "chance": 0.0, "good": 0.5, "family": "mlp", "task": "counts", "head": "4"}
    return whole(mlp.model(6, 1), nn.PoissonNLLLoss(), cut(x, y), lr=2e-3, steps=350, batch=32, seed=seed, **rest)


class Pinball(nn.Module):
    """The loss of the nine-tenths quantile: most rows lie on one side on purpose."""

    def forward(self, output: Tensor, y: Tensor) -> Tensor:
        """The mean over rows."""
        return torch.maximum(0.9 * (y - output), -0.1 * (y - output)).mean()


def quantile(seed: int) -> Setup:
    """An upper quantile of a number."""

    def covered(setup: Setup) -> float:
        x, y = setup.test_data
        with score.judged(setup):
            guess = setup.model(x)
        constant = torch.quantile(setup.train_data[1], 0.9).expand_as(y)
        return (1 - Pinball()(guess, y) / Pinball()(constant, y)).item()

    rest = {"score": covered, "chance": 0.0, "good": 0.4, "family": "mlp", "task": "quantile", "head": "4"}
    return whole(mlp.model(10, 1), Pinball(), table("friedman"), lr=2e-3, steps=400, batch=32, seed=seed, **rest)


def conv1d(seed: int) -> Setup:
    """Convolutions along time, with weight norm, on transposed series (a view, not contiguous)."""

    class Along(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 24, 5, padding=2))
            self.second, self.head = nn.Conv1d(24, 24, 5, padding=2, dilation=1), nn.Linear(24, 4)

        def forward(self, x: Tensor) -> Tensor:
            hidden = F.gelu(self.second(F.gelu(self.first(x.transpose(1, 2)))))
            return self.head(hidden.amax(2))

    rest = {"score": score.accuracy(), "chance": 0.28, "good": 0.85, "family": "cnn1d", "num_classes": 4, "head": "head"}
    return whole(Along(), nn.CrossEntropyLoss(), sequences("waves"), lr=3e-3, steps=250, batch=32, seed=seed, **rest)


def critic_step(setup: Setup, batch: Data, index: int) -> Tensor:
    """WGAN with a gradient penalty: three steps of the critic for one of the generator; the critic's loss is negative."""
    real, (first, second) = batch[0], setup.optimizer
    make, judge = setup.model.generator, setup.model.discriminator
    fake = make(torch.randn(len(real), 8)).detach()  # type: ignore[operator]
    between = torch.lerp(real, fake, torch.rand(len(real), 1)).requires_grad_(True)
    slope = torch.autograd.grad(judge(between).sum(), between, create_graph=True)[0]  # type: ignore[operator]
    loss = judge(fake).mean() - judge(real).mean() + 2 * (slope.norm(dim=1) - 1).pow(2).mean()  # type: ignore[operator]
    second.zero_grad()
    loss.backward()
    second.step()
    if index % 3 == 2:
        first.zero_grad()
        (-judge(make(torch.randn(len(real), 8))).mean()).backward()  # type: ignore[operator]
        first.step()
    return loss


def wgan(seed: int) -> Setup:
    """A Wasserstein GAN on a ring of blobs."""
    model = Gan()
    setup = whole(model, None, points("ring"), lr=1e-3, steps=1200, batch=64, seed=seed)
    pair = [torch.optim.Adam(part.parameters(), lr=1e-3, betas=(0.0, 0.9)) for part in (model.generator, model.discriminator)]
    rest = {"step": critic_step, "validate": lambda now: None, "score": closeness, "chance": 0.0, "good": 0.7}
    return replace(setup, optimizer=pair, family="gan", task="gan", **rest)


def categories(seed: int) -> Setup:
    """A table of numbers and ids: two inputs to the net, one embedding a column."""

    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ids, self.numbers = nn.Embedding(40, 8), nn.Linear(5, 16)
            self.out = nn.Sequential(nn.ReLU(), nn.Linear(24, 1))

        def forward(self, numbers: Tensor, ids: Tensor) -> Tensor:
            return self.out(torch.cat([self.numbers(numbers), self.ids(ids)], 1))[:, 0]

    source = torch.Generator().manual_seed(8)
    x, ids = torch.randn(2000, 5, generator=source), torch.randint(0, 40, (2000,), generator=source)
    effect = torch.randn(40, generator=source)
    y = effect[ids] + x[:, 0] * 0.7 + 0.2 * torch.randn(2000, generator=source)
    y = y / y.std()
    call = lambda model, batch: model(batch[0], batch[2])  # noqa: E731
    rest = {"forward": lambda now, batch: now.model(batch[0], batch[2]), "score": score.r_squared(call), "chance": 0.0, "good": 0.6}
    return whole(Mixed(), nn.MSELoss(), cut(x, y, ids), lr=5e-3, steps=400, batch=32, seed=seed, family="mlp", task="regress", **rest)


def two_views_stop(seed: int) -> Setup:
    """SimSiam: one side is detached on purpose and a predictor stands on the other; the loss is a negative cosine."""

    class Sides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 32), nn.BatchNorm1d(32))
            self.guess = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 32))

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x)

    def objective(setup: Setup, output: Any, batch: Data) -> Tensor:
        a, b = (setup.model.body(batch[0] + 0.3 * torch.randn_like(batch[0])) for _ in range(2))  # type: ignore[operator]
        one, two = (F.cosine_similarity(setup.model.guess(x), y.detach()).mean() for x, y in ((a, b), (b, a)))  # type: ignore[operator]
        return -(one + two) / 2

    from zoo.unusual import neighbours

    rest = {"objective": objective, "forward": lambda now, batch: None, "score": neighbours, "chance": 0.12, "good": 0.85}
    return whole(Sides(), None, table("digits"), lr=2e-3, steps=250, batch=64, seed=seed, family="contrast", task="contrast", **rest)


def channels_last(seed: int) -> Setup:
    """Channels-last memory, in-place activations, a convolution without bias before an instance norm."""
    three = tuple((x.contiguous(memory_format=torch.channels_last), y) for x, y in images("textures"))
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.InstanceNorm2d(16), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(inplace=True), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(24, 6),
    ).to(memory_format=torch.channels_last)  # fmt: skip
    rest = {"score": score.accuracy(), "chance": 0.19, "good": 0.8, "family": "cnn_bn", "num_classes": 6, "head": "8"}
    return whole(model, nn.CrossEntropyLoss(), three, lr=4e-3, steps=220, batch=30, seed=seed, **rest)


KINDS: tuple[tuple[str, str, Callable[[int], Setup]], ...] = (
    ("mlp", "digits", lion),
    ("mlp", "digits", fused),
    ("mlp", "digits", checkpointed),
    ("mlp", "digits", experts),
    ("mlp", "digits", skipped_layers),
    ("mlp", "digits", unfreezing),
    ("mlp", "digits", rewards),
    ("pinn", "sine", pinn),
    ("rnn", "grammar", masked),
    ("unet", "shapes", dice),
    ("mlp", "counts", counts),
    ("mlp", "friedman", quantile),
    ("cnn1d", "waves", conv1d),
    ("gan", "ring", wgan),
    ("mlp", "categories", categories),
    ("contrast", "digits", two_views_stop),
    ("cnn_bn", "textures", channels_last),
)
DARING = tuple(
    Program(f"{family}/{data}/{make.__name__}", family, data, make.__name__, make, traits=(make.__name__,)) for family, data, make in KINDS
)
