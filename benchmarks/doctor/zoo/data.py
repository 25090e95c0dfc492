"""Small data sets that train in a second: scikit-learn's, made ones, and slices of a local folder of public sets where there is one."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor

Data = tuple[Tensor, ...]
Three = tuple[Data, Data, Data]  # train, val, test
FOLDER = os.environ.get("LEADLINE_ZOO_DATA", "")  # a folder with mnist-10k, fashion-mnist, tinyshakespeare, sst2, cora, names ...


def has(name: str) -> bool:
    """Whether the local folder holds this public set."""
    return bool(FOLDER) and (Path(FOLDER) / name).is_dir()


def cut(*tensors: Tensor, val: float = 0.15, test: float = 0.2, seed: int = 0) -> Three:
    """Shuffle once and cut in three."""
    n = len(tensors[0])
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    a, b = int(n * (1 - val - test)), int(n * (1 - test))
    first, second, third = (tuple(t[part] for t in tensors) for part in (order[:a], order[a:b], order[b:]))
    return first, second, third


def standard(three: Three) -> Three:
    """Scale the first tensor by the training part's mean and deviation."""
    x = three[0][0]
    mean, std = x.mean(0), x.std(0)
    std = torch.where(std > 0, std, torch.ones_like(std))
    first, second, third = ((((part[0] - mean) / std), *part[1:]) for part in three)
    return first, second, third


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(sum(map(ord, name)))  # each made set has a seed of its own, the same everywhere


@cache
def table(name: str) -> Three:
    """Rows of numbers with a class or a standardised target (float, one column)."""
    if name == "digits":
        x, y = datasets.load_digits(return_X_y=True)
        return cut(torch.tensor(x / 16, dtype=torch.float32) * 2 - 1, torch.tensor(y))
    if name in ("iris", "wine", "breast_cancer"):
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        return standard(cut(torch.tensor(x, dtype=torch.float32), torch.tensor(y)))
    if name == "moons":
        x, y = datasets.make_moons(1200, noise=0.15, random_state=0)
        return standard(cut(torch.tensor(x, dtype=torch.float32), torch.tensor(y)))
    if name == "blobs":
        x, y = datasets.make_blobs(1500, n_features=12, centers=8, cluster_std=3.0, random_state=1)
        return standard(cut(torch.tensor(x, dtype=torch.float32), torch.tensor(y)))
    if name in ("diabetes", "teacher", "friedman"):
        return _numbers(name)
    if name == "california":
        return _california()
    if name in ("mnist", "fashion"):
        first, second, third = images(name)
        return tuple((part[0].flatten(1), *part[1:]) for part in (first, second, third))  # type: ignore[return-value]
    raise KeyError(name)


def _numbers(name: str) -> Three:
    rng = _rng(name)
    if name == "diabetes":
        x, y = datasets.load_diabetes(return_X_y=True)
    elif name == "friedman":
        x, y = datasets.make_friedman1(1500, n_features=10, noise=1.0, random_state=0)
    else:
        x = rng.normal(size=(1500, 8))
        hidden = np.tanh(x @ rng.normal(size=(8, 16)) / 2)
        y = hidden @ rng.normal(size=16) + 0.05 * rng.normal(size=1500)
    y = (y - y.mean()) / y.std()
    return standard(cut(torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)[:, None]))


def _california() -> Three:
    import pandas as pd

    frame = pd.read_csv(next((Path(FOLDER) / "california-housing").glob("*.csv"))).dropna().sample(4000, random_state=0)
    y = frame.pop("median_house_value").to_numpy()
    x = pd.get_dummies(frame).to_numpy(dtype=np.float32)
    return standard(cut(torch.tensor(x), torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)[:, None]))


@cache
def images(name: str) -> Three:
    """Pictures NCHW about mean 0 and deviation 1, with classes."""
    if name == "digits":
        x, y = datasets.load_digits(return_X_y=True)
        return cut(torch.tensor(x / 8 - 1, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(y))
    if name == "textures":
        return _textures()
    if name in ("mnist", "fashion"):
        return _idx({"mnist": "mnist-10k", "fashion": "fashion-mnist"}[name])
    if name == "cifar":
        return _cifar()
    raise KeyError(name)


def _textures(n: int = 1500, size: int = 12) -> Three:
    """Stripes in four directions, checks and rings, in colour with noise: six classes that need convolution, not position."""
    rng = _rng("textures")
    y = rng.integers(0, 6, n)
    u, v = np.meshgrid(np.arange(size), np.arange(size))
    frequency = rng.uniform(1.0, 1.8, (n, 1, 1))
    phase = rng.uniform(0, 6.28, (2, n, 1, 1))
    centre = rng.uniform(3, 9, (2, n, 1, 1))
    waves = [np.sin(frequency * (a * u + b * v)[None] + phase[0]) for a, b in ((1, 0), (0, 1), (0.7, 0.7), (0.7, -0.7))]
    waves.append(np.sin(frequency * u + phase[0]) * np.sin(frequency * v + phase[1]) * 1.5)
    waves.append(np.sin(frequency * np.hypot(u - centre[0], v - centre[1]) * 1.2))
    grey = np.choose(y[:, None, None], waves)
    x = grey[:, None] * rng.uniform(0.6, 1.4, (n, 3, 1, 1)) + 0.5 * rng.normal(size=(n, 3, size, size))
    return cut(torch.tensor(x, dtype=torch.float32), torch.tensor(y))


def _idx(folder: str, n: int = 3000) -> Three:
    """The first pictures of an IDX set, halved to 14 x 14."""
    path = Path(FOLDER) / folder
    raw = np.frombuffer(gzip.decompress((path / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    y = np.frombuffer(gzip.decompress((path / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)[:n]
    x = torch.tensor(raw.reshape(-1, 1, 28, 28)[:n].astype(np.float32)) / 255
    x = torch.nn.functional.avg_pool2d(x, 2)
    return cut((x - x.mean()) / x.std(), torch.tensor(y.astype(np.int64)))


def _cifar(each: int = 200) -> Three:
    """Two easy classes of the folder, halved to 16 x 16."""
    from PIL import Image

    pictures, labels = [], []
    for label, name in enumerate(("automobile", "frog")):
        for path in sorted((Path(FOLDER) / "cifar10-folder" / "train" / name).iterdir())[: each * 3]:
            pictures.append(np.asarray(Image.open(path).convert("RGB").resize((16, 16)), np.float32) / 127.5 - 1)
            labels.append(label)
    return cut(torch.tensor(np.stack(pictures)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels))


@cache
def sequences(name: str) -> Three:
    """Series NTF of floats with classes, or (for sums and waves-next) a float target NT1-like of one column."""
    rng = _rng(name)
    if name == "digits":  # rows as steps
        first, second, third = images("digits")
        return tuple((part[0][:, 0], part[1]) for part in (first, second, third))  # type: ignore[return-value]
    if name == "waves":
        n, t = 1200, np.arange(20)
        y = rng.integers(0, 4, n)
        angle = rng.uniform(0.4, 0.7, (n, 1)) * t + rng.uniform(0, 6.28, (n, 1))
        kinds = [np.sin(angle), np.sign(np.sin(angle)), (angle / 6.28 % 1) * 3.4 - 1.7, rng.normal(size=(n, 20))]
        clean = np.choose(y[:, None], kinds)
        x = np.stack([clean, np.cumsum(clean, 1) / 5], -1) + 0.15 * rng.normal(size=(n, 20, 2))
        return cut(torch.tensor(x, dtype=torch.float32), torch.tensor(y))
    if name == "sums":  # the adding problem: the sum of the two marked numbers
        n, t = 2000, 12
        values, marks = rng.uniform(-1, 1, (n, t)), np.zeros((n, t))
        marks[np.arange(n), rng.integers(0, t // 2, n)] = 1
        marks[np.arange(n), rng.integers(t // 2, t, n)] = 1
        y = (values * marks).sum(1, keepdims=True)
        return cut(torch.tensor(np.stack([values, marks], -1), dtype=torch.float32), torch.tensor(y / y.std(), dtype=torch.float32))
    if name == "forecast":
        return _forecast(rng)
    raise KeyError(name)


def _forecast(rng: np.random.Generator) -> Three:
    """Twenty values of a noisy double sine, and the next one; cut in time order."""
    t = np.arange(1600)
    series = np.sin(t * 0.21) + 0.5 * np.sin(t * 0.047 + 1) + 0.1 * rng.normal(size=t.size)
    windows = np.lib.stride_tricks.sliding_window_view(series / series.std(), 21)
    x, y = torch.tensor(windows[:, :20, None], dtype=torch.float32), torch.tensor(windows[:, 20:], dtype=torch.float32)
    return (x[:1000], y[:1000]), (x[1030:1250], y[1030:1250]), (x[1280:], y[1280:])


@cache
def token_rows(name: str) -> tuple[Three, int, int]:
    """(token ids NT padded with 0, class), the vocabulary's size, and the number of classes."""
    rng = _rng(name)
    if name == "sst2":
        return _sst2()
    n, t, vocab = 1500, 16, 20
    x = rng.integers(4, vocab, (n, t))
    if name == "majority":  # which of the three marker tokens stands most often
        y = rng.integers(0, 3, n)
        for row, label in enumerate(y):
            places = rng.permutation(t)
            x[row, places[:5]] = label + 1
            x[row, places[5:7]] = (label + 1) % 3 + 1
    elif name == "either":  # class 1 where exactly one of two marker tokens stands: not a sum over tokens
        x[np.arange(n), rng.integers(0, t // 2, n)] = np.where(rng.random(n) < 0.5, 1, 3)
        x[np.arange(n), rng.integers(t // 2, t, n)] = np.where(rng.random(n) < 0.5, 2, 3)
        y = ((x == 1).any(1) ^ (x == 2).any(1)).astype(np.int64)
    else:
        raise KeyError(name)
    lengths = rng.integers(12, t + 1, n) if name == "majority" else np.full(n, t)
    x[np.arange(t)[None] >= lengths[:, None]] = 0
    return cut(torch.tensor(x), torch.tensor(y)), vocab, int(y.max()) + 1


def _sst2(n: int = 2500, t: int = 24, vocab: int = 1500) -> tuple[Three, int, int]:
    lines = (Path(FOLDER) / "sst2" / "train.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [line.rsplit("\t", 1) for line in lines]
    counts: dict[str, int] = {}
    for text, _ in pairs:
        for word in text.split():
            counts[word] = counts.get(word, 0) + 1
    known = {word: i + 2 for i, word in enumerate(sorted(counts, key=lambda w: -counts[w])[: vocab - 2])}
    x = torch.zeros(len(pairs), t, dtype=torch.long)
    for row, (text, _) in enumerate(pairs):
        ids = [known.get(word, 1) for word in text.split()[:t]]
        x[row, : len(ids)] = torch.tensor(ids)
    y = torch.tensor([int(label) for _, label in pairs])
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[: n * 2]
    return cut(x[order], y[order]), vocab, 2


@cache
def texts(name: str, block: int = 24) -> tuple[Three, int]:
    """(characters NT, the next characters NT) and the alphabet's size."""
    rng = _rng(name)
    if name == "shakespeare":
        text = (Path(FOLDER) / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")[:60000]
    elif name == "names":
        text = "\n".join((Path(FOLDER) / "names" / "names.txt").read_text(encoding="utf-8").split()[:8000])
    elif name == "grammar":
        who, does, what = (
            ("the cat", "a dog", "my aunt", "the old king"),
            ("sees", "likes", "feeds", "hears"),
            ("mice", "rain", "bread", "a song"),
        )
        text = " ".join(f"{rng.choice(who)} {rng.choice(does)} {rng.choice(what)}." for _ in range(2000))
    elif name == "sums":
        text = " ".join(f"{a}+{b}={a + b}" for a, b in rng.integers(0, 10, (6000, 2)))
    else:
        raise KeyError(name)
    alphabet = {c: i for i, c in enumerate(sorted(set(text)))}
    ids = torch.tensor([alphabet[c] for c in text])
    rows = ids[: (len(ids) - 1) // block * block + 1]
    return cut(rows[:-1].view(-1, block), rows[1:].view(-1, block)), len(alphabet)


@cache
def graph(name: str) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Node features, the normalised dense adjacency with self-loops, classes, and the three parts' node numbers."""
    if name == "cora":
        x, edges, y = _cora()
    else:
        rng = _rng(name)
        n, k, inside, outside = (400, 4, 0.06, 0.008) if name == "communities" else (300, 3, 0.10, 0.01)
        y = rng.integers(0, k, n)
        chance = np.where(y[:, None] == y[None], inside, outside)
        edges = np.triu(rng.random((n, n)) < chance, 1).astype(np.float32)
        x = rng.normal(size=(n, 16)) * 1.5
        x[np.arange(n), y] += 1.5
    a = torch.tensor(edges, dtype=torch.float32)
    a = ((a + a.T) > 0).float() + torch.eye(len(a))
    d = a.sum(1).rsqrt()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))
    i, j = int(len(y) * 0.4), int(len(y) * 0.6)
    return torch.tensor(x, dtype=torch.float32), d[:, None] * a * d, torch.tensor(y), (order[:i], order[i:j], order[j:])


def _cora(keep: int = 900) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first nodes, their word rows scaled to length 1."""
    import pandas as pd

    folder = Path(FOLDER) / "cora" / "plain"
    nodes, links = pd.read_csv(folder / "nodes.csv")[:keep], pd.read_csv(folder / "edges.csv")
    x = np.zeros((keep, 1433), np.float32)
    for row, words in enumerate(nodes["features"]):
        x[row, [int(word) for word in str(words).split()]] = 1
    links = links[(links.source < keep) & (links.target < keep)]
    edges = np.zeros((keep, keep), np.float32)
    edges[links.source, links.target] = 1
    return x / np.maximum(1, np.sqrt(x.sum(1, keepdims=True))), edges, nodes["label"].to_numpy()


@cache
def masks(name: str) -> Three:
    """Pictures N1HW and class masks NHW: filled shapes on noise, or digits on a gradient."""
    rng = _rng(name)
    n, size = 500, 16
    if name == "strokes":
        x, _ = datasets.load_digits(return_X_y=True)
        ink = torch.nn.functional.interpolate(torch.tensor(x[:n], dtype=torch.float32).view(-1, 1, 8, 8), scale_factor=2, mode="bilinear")[
            :, 0
        ]
        slope = torch.tensor(rng.normal(size=(n, 1, 1)), dtype=torch.float32) * torch.linspace(-1, 1, size)
        picture = ink / 8 - 1 + slope + 0.3 * torch.tensor(rng.normal(size=(n, size, size)), dtype=torch.float32)
        return cut(picture[:, None], (ink > 8).long())
    u, v = np.meshgrid(np.arange(size), np.arange(size))
    mask = np.zeros((n, size, size), np.int64)
    for row in range(n):
        a, b, c, d = rng.uniform(4, 12, 4)
        mask[row][np.hypot(u - a, v - b) < rng.uniform(2, 4)] = 1
        mask[row][np.maximum(abs(u - c), abs(v - d)) < rng.uniform(1.5, 3)] = 2
    picture = np.choose(mask, [0.0, 1.0, -1.0]) * rng.uniform(0.8, 1.5, (n, 1, 1)) + 0.5 * rng.normal(size=mask.shape)
    return cut(torch.tensor(picture, dtype=torch.float32)[:, None], torch.tensor(mask))


@cache
def points(name: str, n: int = 2000) -> Three:
    """Points of the plane about deviation 1: two moons, a ring of eight blobs, a spiral."""
    rng = _rng(name)
    made: dict[str, Callable[[], np.ndarray]] = {
        "moons": lambda: datasets.make_moons(n, noise=0.06, random_state=0)[0],
        "ring": lambda: _ring(rng, n),
        "spiral": lambda: datasets.make_swiss_roll(n, noise=0.3, random_state=0)[0][:, [0, 2]],
    }
    x = torch.tensor(made[name](), dtype=torch.float32)
    return cut((x - x.mean(0)) / x.std(0))


def _ring(rng: np.random.Generator, n: int) -> np.ndarray:
    angle = rng.integers(0, 8, n) * (np.pi / 4)
    return np.stack([np.cos(angle), np.sin(angle)], 1) + 0.08 * rng.normal(size=(n, 2))
