"""The three simple models behind the baselines: each takes the stored arrays and encoded targets, and gives what a network would give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np


class Unfit(Exception):
    """The model is not run on such data, and why."""


class SimpleModel(ABC):
    """fit on arrays, predict (N, C) probabilities or (N,) standardised values. num_classes None: numbers are predicted."""

    def __init__(self, num_classes: int | None) -> None:
        self.num_classes = num_classes
        self.notes: tuple[str, ...] = ()

    @abstractmethod
    def fit(self, arrays: tuple[np.ndarray, ...], y: np.ndarray) -> None:
        """Learn from arrays (N, ...) and encoded targets (N,). Raises Unfit when it is not meant for such data."""

    @abstractmethod
    def predict(self, arrays: tuple[np.ndarray, ...]) -> np.ndarray:
        """(N, C) probabilities over all classes, or (N,) values."""


class Majority(SimpleModel):
    """Always the class shares of the training rows (so: the commonest class), or their mean."""

    def fit(self, arrays: tuple[np.ndarray, ...], y: np.ndarray) -> None:
        if self.num_classes is None:
            self.said = np.asarray(y, dtype=np.float64).mean(axis=0)
        else:
            self.said = np.bincount(y, minlength=self.num_classes) / len(y)

    def predict(self, arrays: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.broadcast_to(self.said, (len(arrays[0]), *np.shape(self.said))).copy()


class Linear(SimpleModel):
    """Logistic or ridge regression on standardised numbers and one-hot categories, or on pixels of at most 32 x 32."""

    def __init__(self, num_classes: int | None, *, pictures: bool) -> None:
        super().__init__(num_classes)
        self.pictures = pictures

    def fit(self, arrays: tuple[np.ndarray, ...], y: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.preprocessing import OneHotEncoder

        if not self.pictures and arrays[1].shape[1]:
            # A category seen fewer than 5 times in training teaches a linear model nothing but noise.
            self.onehot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5).fit(arrays[1])
        if self.num_classes is None:
            self.model: Any = Ridge(alpha=1.0)
        else:
            # Neighbouring pixels say nearly the same: a stronger penalty, or the fit only learns the noise between them.
            self.model = LogisticRegression(C=0.01 if self.pictures else 1.0, max_iter=60 if self.pictures else 300, tol=1e-3)
        self.centre, self.scale = self._standard(arrays)
        self.model.fit(self._columns(arrays), y)

    def predict(self, arrays: tuple[np.ndarray, ...]) -> np.ndarray:
        columns = self._columns(arrays)
        return self.model.predict(columns) if self.num_classes is None else spread(self.model, columns, num_classes=self.num_classes)

    def _standard(self, arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        centre = arrays[0].mean(axis=0, dtype=np.float64)
        deviation = arrays[0].std(axis=0, dtype=np.float64)
        floor = 0.05 if self.pictures else 1e-6  # a border pixel that is nearly always black must not be blown up
        return centre.astype(np.float32), np.maximum(deviation, floor).astype(np.float32)

    def _columns(self, arrays: tuple[np.ndarray, ...]) -> Any:
        numbers = (arrays[0] - self.centre) / self.scale
        if self.pictures or not arrays[1].shape[1]:
            return numbers
        from scipy import sparse

        return sparse.hstack([sparse.csr_matrix(numbers), self.onehot.transform(arrays[1])]).tocsr()


class Gbdt(SimpleModel):
    """Histogram gradient boosting with native categories, stopped early on a tenth of the training rows."""

    most_categories = 255  # the library bins a column into at most 255 values
    most_trees = 1000

    def __init__(self, num_classes: int | None, *, pictures: bool, seed: int) -> None:
        super().__init__(num_classes)
        self.pictures = pictures
        self.seed = seed

    def fit(self, arrays: tuple[np.ndarray, ...], y: np.ndarray) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        if self.pictures:
            raise Unfit("boosted trees on raw pixels take minutes and are seldom better than the linear model")
        trees_per_round = 1 if self.num_classes in (None, 2) else self.num_classes
        if trees_per_round > 100:
            raise Unfit(f"boosting grows one tree per class and round: {trees_per_round} classes take too long")
        kind: Any = HistGradientBoostingRegressor if self.num_classes is None else HistGradientBoostingClassifier
        self.native = self._native(arrays[1])
        self.model: Any = kind(
            max_iter=max(20, min(300, self.most_trees // trees_per_round)),
            early_stopping=len(y) > 1000,
            categorical_features=np.concatenate([np.zeros(arrays[0].shape[1], dtype=bool), self.native]),
            random_state=self.seed,
        )
        self.model.fit(self._columns(arrays), y)

    def predict(self, arrays: tuple[np.ndarray, ...]) -> np.ndarray:
        columns = self._columns(arrays)
        return self.model.predict(columns) if self.num_classes is None else spread(self.model, columns, num_classes=self.num_classes)

    def _native(self, codes: np.ndarray) -> np.ndarray:
        """(k,) whether a column of codes goes in as categories; one with too many goes in as a number."""
        native = codes.max(axis=0, initial=0) < self.most_categories
        if not native.all():
            self.notes = (f"{int((~native).sum())} column(s) with more than {self.most_categories} categories went in as numbers",)
        return native

    def _columns(self, arrays: tuple[np.ndarray, ...]) -> np.ndarray:
        codes = arrays[1].astype(np.float32)
        # Codes beyond the library's limit were not seen in training: to it they are missing.
        codes[:, self.native] = np.where(codes[:, self.native] < self.most_categories, codes[:, self.native], np.nan)
        return np.concatenate([arrays[0].astype(np.float32), codes], axis=1)


def spread(model: Any, columns: Any, *, num_classes: int) -> np.ndarray:
    """(N, C) float64 probabilities over all classes; those the model never saw in training get 0."""
    whole = np.zeros((columns.shape[0], num_classes))
    whole[:, model.classes_] = model.predict_proba(columns)
    return whole
