"""Whole healthy programs of unusual kinds: GANs, contrastive views, 50,000 classes, Gaussian likelihood, sparse embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo import score
from zoo.data import cut, images, points, table, token_rows
from zoo.families import mlp
from zoo.program import Data, Program, Setup, make_loader


def whole(model: nn.Module, loss_fn: Any, three: Any, *, lr: float, steps: int, batch: int, seed: int, **rest: Any) -> Setup:
    """A set-up of these parts under Adam."""
    make = rest.pop("make_optimizer", lambda p: torch.optim.Adam(p, lr=lr))
    return Setup(
        model=model,
        loss_fn=loss_fn,
        optimizer=make(model.parameters()),
        loader=make_loader(three[0], batch_size=batch, seed=seed, drop_last=True),
        val_loader=make_loader(three[1], batch_size=batch, shuffle=False),
        steps=steps,
        train_data=three[0],
        val_data=three[1],
        test_data=three[2],
        make_optimizer=make,
        seed=seed,
        **rest,
    )


class Gan(nn.Module):
    """Generator and discriminator of points."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
        self.discriminator = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))


def gan_step(setup: Setup, batch: Data, index: int) -> Tensor:
    """One step of the discriminator, one of the generator."""
    real, (first, second) = batch[0], setup.optimizer
    fake = setup.model.generator(torch.randn(len(real), 8))  # type: ignore[operator]
    judge = setup.model.discriminator
    ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
    second.zero_grad()
    loss = setup.loss_fn(judge(real), 0.9 * ones) + setup.loss_fn(judge(fake.detach()), zeros)  # type: ignore[operator]
    loss.backward()
    second.step()
    first.zero_grad()
    setup.loss_fn(judge(fake), ones).backward()  # type: ignore[operator]
    first.step()
    return loss


def closeness(setup: Setup) -> float:
    """One minus the energy distance of generated to real points, over that of a single point."""
    real = setup.test_data[0]
    with score.judged(setup):
        fake = setup.model.generator(torch.randn(len(real), 8, generator=torch.Generator().manual_seed(3)))  # type: ignore[operator]

    def energy(a: Tensor) -> Tensor:
        return 2 * torch.cdist(a, real).mean() - torch.cdist(a, a).mean() - torch.cdist(real, real).mean()

    return max(-1.0, score.finite(1 - energy(fake) / energy(torch.zeros_like(real)), -1.0))


def gan(data: str) -> Callable[[int], Setup]:
    """A GAN on points of the plane."""

    def make(seed: int) -> Setup:
        model = Gan()
        setup = whole(model, nn.BCEWithLogitsLoss(), points(data), lr=1e-3, steps=1300, batch=64, seed=seed)
        rate = {"lr": 1e-3, "betas": (0.5, 0.99)}  # DCGAN's momentum
        pair = [torch.optim.Adam(part.parameters(), **rate) for part in (model.generator, model.discriminator)]
        rest = {"step": gan_step, "validate": lambda now: None, "score": closeness, "chance": 0.0, "good": 0.7}
        return replace(setup, optimizer=pair, family="gan", task="gan", **rest)

    return make


class InfoNCE(nn.Module):
    """Every row's two views against all other rows (van den Oord et al. 2018): rows of a batch meet on purpose."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """The mean over rows."""
        logits = F.normalize(left, dim=1) @ F.normalize(right, dim=1).T / 0.2
        return F.cross_entropy(logits, torch.arange(len(left)))


def views(setup: Setup, batch: Data) -> tuple[Tensor, Tensor]:
    """Two noisy views through the net."""
    x = batch[0]
    a, b = (x + 0.3 * torch.randn_like(x) for _ in range(2))
    return setup.model(a), setup.model(b)


def neighbours(setup: Setup) -> float:
    """Accuracy of the nearest training embedding's class."""
    with score.judged(setup):
        known, asked = (F.normalize(setup.model(d[0]), dim=1) for d in (setup.train_data, setup.test_data))
    return (setup.train_data[1][(asked @ known.T).argmax(1)] == setup.test_data[1]).float().mean().item()


def contrastive(data: str) -> Callable[[int], Setup]:
    """Embeddings learnt from two views, without classes."""

    def make(seed: int) -> Setup:
        three = table(data)
        model = nn.Sequential(nn.Linear(three[0][0].shape[1], 96), nn.ReLU(), nn.Linear(96, 24))
        rest = {"forward": views, "objective": lambda now, output, batch: now.loss_fn(*output), "score": neighbours}
        chance = score.majority(three[2][1])
        setup = whole(model, InfoNCE(), three, lr=2e-3, steps=300, batch=64, seed=seed, **rest)
        return replace(setup, family="contrast", task="contrast", chance=chance, good=0.85)

    return make


def many_classes(seed: int) -> Setup:
    """The next of 50,000 ids, of which few ever come."""
    source = torch.Generator().manual_seed(1)
    kinds = torch.randint(0, 50_000, (60,), generator=source)
    which = torch.randint(0, 60, (1500,), generator=source)
    x = torch.randn(60, 16, generator=source)[which] + 0.4 * torch.randn(1500, 16, generator=source)
    three = cut(x, kinds[which])
    model = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 50_000))
    rest = {"num_classes": 50_000, "head": "2", "score": score.accuracy(), "chance": 0.0, "good": 0.8, "family": "mlp"}
    return whole(model, nn.CrossEntropyLoss(), three, lr=2e-2, steps=110, batch=64, seed=seed, **rest)


class Gaussian(nn.Module):
    """Minus the Gaussian log-likelihood of a mean and a log-variance: below zero once the fit is good."""

    def forward(self, output: Tensor, y: Tensor) -> Tensor:
        """The mean over rows."""
        mean, logvar = output.chunk(2, 1)
        return 0.5 * (logvar + (y - mean).pow(2) / logvar.exp()).mean()


def gaussian(seed: int) -> Setup:
    """A mean and a variance for a target with very little noise."""
    x = torch.linspace(-3, 3, 1500)[:, None]
    y = torch.sin(x) + 0.02 * torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    call = lambda model, batch: model(batch[0])[:, :1]  # noqa: E731
    rest = {"score": score.r_squared(call), "chance": 0.0, "good": 0.9, "family": "mlp", "task": "likelihood", "head": "4"}
    return whole(mlp.model(1, 2, activation=nn.Tanh), Gaussian(), cut(x, y), lr=3e-3, steps=500, batch=64, seed=seed, **rest)


def sparse_words(seed: int) -> Setup:
    """A bag of words over a large vocabulary: most rows of the embedding get no gradient in a step."""
    three, _, classes = token_rows("majority")
    wide = tuple((x + (x > 3) * torch.arange(x.shape[1]) * 300, y) for x, y in three)  # words differ by place: 5,000 of them
    model = nn.Sequential(nn.EmbeddingBag(6000, 16, mode="mean", sparse=seed % 2 == 0), nn.ReLU(), nn.Linear(16, classes))
    make = (lambda p: torch.optim.Adagrad(p, lr=0.2)) if seed % 2 == 0 else (lambda p: torch.optim.Adam(p, lr=2e-2))
    rest = {"num_classes": classes, "head": "2", "score": score.accuracy(), "chance": 0.36, "good": 0.8, "family": "mlp"}
    return whole(model, nn.CrossEntropyLoss(), wide, lr=0.1, steps=300, batch=32, seed=seed, make_optimizer=make, **rest)


class TwoHeads(nn.Module):
    """One body, a class and a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU())
        self.kind, self.ink = nn.Linear(64, 10), nn.Linear(64, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(logits, number)."""
        hidden = self.body(x)
        return self.kind(hidden), self.ink(hidden)


def two_tasks(seed: int) -> Setup:
    """Digit and amount of ink at once: two losses, added."""
    ink = lambda x: (x.mean((1, 2, 3)) + 0.4)[:, None] * 5  # noqa: E731
    three = tuple((x, y, ink(x)) for x, y in images("digits"))

    def objective(setup: Setup, output: Any, batch: Data) -> Tensor:
        return setup.loss_fn(output[0], batch[1]) + 0.5 * F.mse_loss(output[1], batch[2])

    rest = {"objective": objective, "score": score.accuracy(), "chance": 0.12, "good": 0.9, "family": "mlp", "head": "kind"}
    return whole(TwoHeads(), nn.CrossEntropyLoss(), three, lr=2e-3, steps=400, batch=32, seed=seed, num_classes=10, **rest)


def triplets(seed: int) -> Setup:
    """A triplet margin loss: most triplets end at exactly zero."""

    def objective(setup: Setup, output: Any, batch: Data) -> Tensor:
        y = batch[1]
        same, other = (y[:, None] == y) & ~torch.eye(len(y), dtype=torch.bool), y[:, None] != y
        near, far = (torch.multinomial(part.float() + 1e-6, 1).flatten() for part in (same, other))
        return setup.loss_fn(output, output[near], output[far])

    three = table("digits")
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    rest = {"objective": objective, "score": neighbours, "chance": 0.12, "good": 0.9, "family": "contrast", "task": "contrast"}
    return whole(model, nn.TripletMarginLoss(margin=1.0), three, lr=2e-3, steps=300, batch=64, seed=seed, **rest)


def many_labels(seed: int) -> Setup:
    """Twelve independent yes-or-no labels a row, one in ten a yes."""
    source = torch.Generator().manual_seed(4)
    x = torch.randn(1500, 20, generator=source)
    y = (x @ torch.randn(20, 12, generator=source) / 4.47 > 1.28).float()

    def rank(setup: Setup) -> float:
        with score.judged(setup):
            guess, real = (setup.model(setup.test_data[0]) > 0).float(), setup.test_data[1]
        return (2 * (guess * real).sum() / (guess.sum() + real.sum()).clamp(min=1)).item()  # F1 over all labels

    rest = {"score": rank, "chance": 0.18, "good": 0.75, "family": "mlp", "task": "labels", "head": "4"}
    return whole(mlp.model(20, 12), nn.BCEWithLogitsLoss(), cut(x, y), lr=3e-3, steps=400, batch=32, seed=seed, **rest)


def distilled(seed: int) -> Setup:
    """A student that learns a frozen teacher's soft answers by divergence."""
    three = table("digits")
    teacher = mlp.model(64, 10, width=96)
    optimizer = torch.optim.Adam(teacher.parameters(), 3e-3)
    for _ in range(250):
        rows = torch.randint(0, len(three[0][0]), (64,))
        optimizer.zero_grad()
        F.cross_entropy(teacher(three[0][0][rows]), three[0][1][rows]).backward()
        optimizer.step()
    teacher.requires_grad_(False)

    def objective(setup: Setup, output: Any, batch: Data) -> Tensor:
        soft = F.softmax(teacher(batch[0]) / 3, dim=1)  # temperature 3 (Hinton et al. 2015)
        return setup.loss_fn(F.log_softmax(output / 3, dim=1), soft) * 9

    rest = {"objective": objective, "score": score.accuracy(), "chance": 0.12, "good": 0.9, "family": "mlp", "head": "4"}
    return whole(mlp.model(64, 10, width=32), nn.KLDivLoss(reduction="batchmean"), three, lr=2e-3, steps=400, batch=32, seed=seed, **rest)


def q_network(seed: int) -> Setup:
    """Temporal differences on a ring of states with a target net that follows slowly: the target moves, the loss need not fall."""
    source = torch.Generator().manual_seed(5)
    state, action = torch.randint(0, 10, (3000,), generator=source), torch.randint(0, 2, (3000,), generator=source)
    after = (state + 2 * action - 1).clamp(0, 9)
    reward = (after == 9).float()
    model, target = mlp.model(10, 2, width=32, depth=1), mlp.model(10, 2, width=32, depth=1)
    target.load_state_dict(model.state_dict())
    target.requires_grad_(False)

    def objective(setup: Setup, output: Any, batch: Data) -> Tensor:
        _s, a, r, n = batch
        assert setup.teacher is not None
        wanted = r + 0.9 * setup.teacher(F.one_hot(n, 10).float()).max(1).values
        return setup.loss_fn(output.gather(1, a[:, None])[:, 0], wanted)

    def policy(setup: Setup) -> float:
        with score.judged(setup):
            return (setup.model(torch.eye(10)).argmax(1) == 1).float().mean().item()  # to the right, always

    forward = lambda now, batch: now.model(F.one_hot(batch[0], 10).float())  # noqa: E731
    rest = {"objective": objective, "forward": forward, "score": policy, "chance": 0.5, "good": 0.95, "family": "q", "task": "q"}
    setup = whole(model, nn.SmoothL1Loss(), cut(state, action, reward, after), lr=5e-3, steps=500, batch=64, seed=seed, **rest)
    return replace(setup, teacher=target, teacher_decay=0.95)


KINDS: tuple[tuple[str, str, str, Callable[[int], Setup]], ...] = (
    ("gan", "ring", "gan", gan("ring")),
    ("gan", "moons", "gan", gan("moons")),
    ("contrast", "digits", "info_nce", contrastive("digits")),
    ("contrast", "blobs", "info_nce", contrastive("blobs")),
    ("contrast", "digits", "triplets", triplets),
    ("mlp", "ids", "many_classes", many_classes),
    ("mlp", "sine", "gaussian", gaussian),
    ("mlp", "words", "sparse_embedding", sparse_words),
    ("mlp", "digits", "two_tasks", two_tasks),
    ("mlp", "labels", "many_labels", many_labels),
    ("mlp", "digits", "distilled", distilled),
    ("q", "ring", "q_network", q_network),
)
UNUSUAL = tuple(Program(f"{family}/{data}/{kind}", family, data, kind, make, traits=(kind,)) for family, data, kind, make in KINDS)
