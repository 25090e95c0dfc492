"""Recurrent networks over tokens or frames: stacked, one way or both, with no influence of padding.

Axes: B batch, T places, W width.
"""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from leadline.models.nets.network import Network
from leadline.models.nets.sequence import Ends, lengths_of, pooled
from leadline.record.ports import Classes, Embeddings, Frames, Port, Tokens, Values

Cell = Literal["rnn", "lstm", "gru"]
KINDS: dict[Cell, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentNet(Network):
    """Tokens or frames through a stack of cells; then one answer for all (mean and last state), or one for each place."""

    def __init__(self, takes: Tokens | Frames, gives: Port, *, cell: Cell, width: int, depth: int, both_ways: bool, dropout: float) -> None:
        super().__init__()
        self.takes, self.whole = takes, isinstance(gives, Classes | Values | Embeddings)
        is_tokens = isinstance(takes, Tokens)
        self.embedding = nn.Embedding(takes.vocabulary, width) if is_tokens else nn.Linear(takes.features, width)
        self.drop = nn.Dropout(dropout)
        between = dropout if depth > 1 else 0.0
        self.cells: nn.RNNBase = KINDS[cell](width, width, depth, batch_first=True, bidirectional=both_ways, dropout=between)
        found = width * (1 + both_ways)
        self.out = Ends(2 * found if self.whole else found, gives)
        _open_gates(self.cells)

    @property
    def head(self) -> nn.Module:
        return self.out

    def blocks(self) -> list[nn.Module]:
        return [self.embedding, self.cells]

    def forward(self, x: Tensor, lengths: Tensor | None = None, memory: list[Tensor] | None = None) -> Tensor:
        """x: ids (B, T), or frames (B, T, features) with their lengths (B,). memory: the state of earlier places, changed in place."""
        inputs = self.drop(self.embedding(x))
        long = None if memory is not None else lengths_of(self.takes, x, lengths)
        if not self.whole and not self.cells.bidirectional:
            states = self._ahead(inputs, memory)  # what stands at the end touches nothing before it
            return self.out(self.drop(states))
        assert long is not None
        states = self._packed(inputs, long)
        return self.out(self.drop(pooled(states, long) if self.whole else states))

    def _ahead(self, inputs: Tensor, memory: list[Tensor] | None) -> Tensor:
        if memory is None:
            return self.cells(inputs)[0]
        given = (tuple(memory) if isinstance(self.cells, nn.LSTM) else memory[0]) if memory else None
        states, last = self.cells(inputs, given)
        memory[:] = list(last) if isinstance(last, tuple) else [last]
        return states

    def _packed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.cells(packed)[0], batch_first=True, total_length=inputs.shape[1])[0]

    def begin(self) -> list[Tensor]:
        """An empty memory for writing."""
        return []

    def further(self, ids_BT: Tensor, memory: list[Tensor]) -> Tensor:
        """(B, V) logits of what follows new ids, which are added to the memory."""
        return self(ids_BT, None, memory)[:, -1]


def _open_gates(cells: nn.RNNBase) -> None:
    """An LSTM begins with its forget gates open (Jozefowicz et al. 2015); recurrent weights are orthogonal (Saxe et al. 2014)."""
    for name, weight in cells.named_parameters():
        if "weight_hh" in name:
            _orthogonal(weight)
        elif "bias" in name:
            nn.init.zeros_(weight)
            if isinstance(cells, nn.LSTM) and "bias_ih" in name:
                nn.init.ones_(weight.detach().chunk(4)[1])


def _orthogonal(weight: nn.Parameter) -> None:
    for part in weight.detach().chunk(weight.shape[0] // weight.shape[1]):
        nn.init.orthogonal_(part)
