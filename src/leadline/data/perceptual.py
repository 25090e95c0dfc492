"""What a picture looks like in few bytes: a grey thumbnail, a 64-bit hash that hardly changes under re-saving, and how alike two are.

Axes: N pictures, S = SIDE pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

SIDE = 32
_CHUNK = 4096  # 4096 thumbnails as float32 are 16 MB: they stay in the cache while their cosines are taken

# The 64 slowest cosine waves without the constant one: brightness leaves their signs alone, and so does contrast.
_WAVES = sorted(((u, v) for u in range(11) for v in range(11) if u + v), key=lambda wave: (sum(wave), wave))[:64]
_ROWS, _COLUMNS = (np.array(axis) for axis in zip(*_WAVES, strict=True))
_COSINES = np.cos(np.pi * (2 * np.arange(SIDE)[None] + 1) * np.arange(11)[:, None] / (2 * SIDE)).astype(np.float32)
# Slow waves change least. Dealing them out evenly gives each byte of the hash its share, so that each byte sorts pictures about as well.
_DEAL = np.arange(64).reshape(8, 8).T.ravel()


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """(S, S) uint8 grey thumbnail of a uint8 picture (H, W, 1 or 3)."""
    plane = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    return np.asarray(plane.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0))


def thumbnails(pictures: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """(N, S, S) uint8 thumbnails of uint8 pictures of any sizes."""
    return np.stack([thumbnail(picture) for picture in pictures]) if len(pictures) else np.zeros((0, SIDE, SIDE), np.uint8)


def near_hash(thumbs: np.ndarray) -> np.ndarray:
    """(N,) uint64: the signs of 64 slow cosine waves of thumbnails (N, S, S); a re-saved or brighter copy differs in about 0 to 6 bits."""
    hashes = np.zeros(len(thumbs), np.uint64)
    for start in range(0, len(thumbs), _CHUNK):
        planes = thumbs[start : start + _CHUNK].astype(np.float32)
        planes -= planes.mean((1, 2), keepdims=True)
        waves = _COSINES @ planes @ _COSINES.T
        signs = waves[:, _ROWS, _COLUMNS][:, _DEAL] > 0
        packed = np.ascontiguousarray(np.packbits(signs, axis=1))
        hashes[start : start + _CHUNK] = packed.view("<u8")[:, 0]
    return hashes


def contrast(thumbs: np.ndarray) -> np.ndarray:
    """(N,) standard deviation of thumbnails in grey levels; near 0 for a blank picture."""
    return thumbs.reshape(len(thumbs), -1).astype(np.float32).std(1)


def coarse(thumbs: np.ndarray) -> np.ndarray:
    """(N, 64) float32 unit vectors of thumbnails reduced to 8 by 8 and freed of their mean; dot products correlate coarse looks cheaply."""
    step = SIDE // 8
    cells = thumbs.reshape(-1, 8, step, 8, step).sum((2, 4), dtype=np.uint32).reshape(-1, 64).astype(np.float32)
    cells -= cells.mean(1, keepdims=True)
    return cells / np.maximum(np.linalg.norm(cells, axis=1, keepdims=True), 1e-6)


def likeness(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlations (N,) of pairs of thumbnails (N, S, S), -1 to 1: of the whole, and of the fine detail alone.

    Both ignore brightness and contrast. Two different skies agree in the whole but not in the detail.
    """
    a, b = left.astype(np.float32), right.astype(np.float32)
    return _correlation(a, b), _correlation(_detail(a), _detail(b))


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a = a - a.mean((1, 2), keepdims=True)
    b = b - b.mean((1, 2), keepdims=True)
    norm = np.sqrt(np.einsum("nij,nij->n", a, a) * np.einsum("nij,nij->n", b, b))
    return np.einsum("nij,nij->n", a, b) / np.maximum(norm, 1e-6)


def _detail(planes: np.ndarray) -> np.ndarray:
    """Each pixel less the mean of its 3 by 3 neighbourhood."""
    wide = np.pad(planes, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    return planes - (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / 9
