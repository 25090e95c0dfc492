"""What texts need no network for: counts of words for labels, and of tokens and their followers for writing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from leadline.evaluate.evaluate import scores
from leadline.evaluate.measured import Baseline
from leadline.evaluate.predictions import Predictions, own_losses
from leadline.record.ports import Tokens
from leadline.tasks.classification import Classification
from leadline.tasks.language import Language
from leadline.tasks.task import Task
from leadline.text import sizes

Fetch = Callable[[np.ndarray], Sequence[Any]]
MOST = 50_000  # training texts that a baseline sees
SMOOTHING = 0.1  # counts added to what never followed, in shares of how often it comes at all (Jelinek-Mercer, fixed)


def fit_text_baselines(
    fetch: Fetch,
    targets: np.ndarray,
    *,
    train: np.ndarray,
    test: np.ndarray,
    takes: Tokens,
    task: Task,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Baseline]:
    """The baselines that the task names, on token ids (N, T) as they are stored; {} where it names none that are known here."""
    kept = train if len(train) <= MOST else np.sort(np.random.default_rng(seed).choice(train, MOST, replace=False))
    notes = () if len(kept) == len(train) else (f"fitted on {len(kept):,} of {len(train):,} training texts",)
    fitting, asked = _ids(fetch, kept), _ids(fetch, test)
    if isinstance(task, Classification):
        return _labels(fitting, asked, targets, kept=kept, train=train, test=test, takes=takes, task=task, metrics=metrics, notes=notes)
    if isinstance(task, Language):
        return _followers(fitting, asked, test=test, takes=takes, task=task, metrics=metrics, notes=notes)
    return {}


def _ids(fetch: Fetch, rows: np.ndarray) -> np.ndarray:
    return np.asarray(fetch(rows)[0].cpu())


def _labels(
    fitting: np.ndarray,
    asked: np.ndarray,
    targets: np.ndarray,
    *,
    kept: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    takes: Tokens,
    task: Classification,
    metrics: Sequence[str] | None,
    notes: tuple[str, ...],
) -> dict[str, Baseline]:
    """majority, and TF-IDF of single tokens and pairs under a logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    truth, count = targets[test], len(task.labels)
    shares = np.bincount(targets[train], minlength=count) / len(train)
    started = time.perf_counter()
    linear = make_pipeline(
        TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), min_df=2, sublinear_tf=True), LogisticRegression(C=10, max_iter=500)
    )
    linear.fit(_spelt(fitting, takes), targets[kept])
    said = np.zeros((len(test), count))
    said[:, linear[-1].classes_] = linear.predict_proba(_spelt(asked, takes))
    found = {"majority": (np.tile(shares, (len(test), 1)), 0.0, ()), "linear": (said, time.perf_counter() - started, notes)}
    made = {}
    for name, (probabilities, seconds, words) in found.items():
        losses = own_losses(probabilities, truth)
        predictions = Predictions({"probabilities": probabilities}, truth, truth, test, losses, float(losses.mean()))
        made[name] = Baseline(True, scores(predictions, task, metrics=metrics), seconds, words, predictions)
    return made


def _spelt(ids: np.ndarray, takes: Tokens) -> list[str]:
    """Ids as words of a text, for a library that counts words."""
    return [" ".join(map(str, row[row != takes.padding])) for row in ids]


def _followers(
    fitting: np.ndarray,
    asked: np.ndarray,
    *,
    test: np.ndarray,
    takes: Tokens,
    task: Language,
    metrics: Sequence[str] | None,
    notes: tuple[str, ...],
) -> dict[str, Baseline]:
    """unigram: how often each token comes; bigram: what follows each token, mixed with that."""
    from scipy.sparse import csr_matrix

    started = time.perf_counter()
    size = takes.vocabulary
    before, after = fitting[:, :-1].ravel(), fitting[:, 1:].ravel()
    is_text = after != takes.padding
    before, after = before[is_text], after[is_text]
    single = np.bincount(after, minlength=size) + 1.0
    single /= single.sum()
    pairs = csr_matrix((np.ones(len(after)), (before, after)), shape=(size, size))
    rows = np.asarray(pairs.sum(axis=1)).ravel()
    once = time.perf_counter() - started
    context, target = asked[:, :-1], asked[:, 1:]
    seen = np.asarray(pairs[context.ravel(), target.ravel()]).reshape(target.shape)
    share = seen / np.maximum(rows[context], 1)
    has = np.where(rows[context] > 0, 1 - SMOOTHING, 0.0)
    chances = {"unigram": single[target], "bigram": has * share + (1 - has) * single[target]}
    likeliest = np.asarray(pairs.argmax(axis=1)).ravel()
    guess = {"unigram": np.full_like(target, single.argmax()), "bigram": likeliest[context]}
    assert task.tokenizer is not None
    characters = sizes.characters(task.tokenizer)
    made = {}
    for name, chance in chances.items():
        counted = target != takes.padding
        nll = np.where(counted, -np.log(chance), 0.0).sum(axis=1)
        right = ((guess[name] == target) & counted).sum(axis=1)
        tokens = np.stack([nll, counted.sum(axis=1), right, (characters[target] * counted).sum(axis=1)], axis=1).astype(np.float64)
        losses = tokens[:, 0] / np.maximum(tokens[:, 1], 1)
        mean = float(tokens[:, 0].sum() / max(tokens[:, 1].sum(), 1))
        zeros = np.zeros(len(test), np.int64)
        predictions = Predictions({"tokens": tokens}, zeros, zeros, test, losses, mean)
        made[name] = Baseline(True, scores(predictions, task, metrics=metrics), once, notes, predictions)
    return made
