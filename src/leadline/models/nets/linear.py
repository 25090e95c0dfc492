"""Linear and softmax regression: one layer from the features to the logits or values."""

from __future__ import annotations

from torch import Tensor, nn

from leadline.models.nets.columns import Columns, Pixels
from leadline.models.nets.network import Network


class LinearNet(Network):
    """features = encoder(*inputs); outputs = head(features). The loss of the task makes it softmax or linear regression."""

    def __init__(self, encoder: Columns | Pixels, num_outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.output = nn.Linear(encoder.width, num_outputs)

    @property
    def head(self) -> nn.Module:
        return self.output

    def blocks(self) -> list[nn.Module]:
        return []

    def forward(self, *inputs: Tensor) -> Tensor:
        """Outputs (B, num_outputs)."""
        return self.output(self.encoder(*inputs))
