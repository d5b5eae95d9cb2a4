"""The torch module between the encoder's vectors and the emissions."""

from __future__ import annotations

from torch import Tensor, nn


class LinearHead(nn.Module):
    """Dropout, then one linear layer: emissions of each tag for each token.

    The module holds everything under one name (`head`), so that optimizer groups can tell its
    parameters from the encoder's.
    """

    def __init__(self, *, width: int, tags: int, dropout: float) -> None:
        super().__init__()
        self.head = nn.ModuleDict(
            {"dropout": nn.Dropout(dropout), "emissions": nn.Linear(width, tags)}
        )

    @property
    def sizes(self) -> dict[str, int]:
        """What is needed to build the module again, apart from its settings."""
        emissions = self.head["emissions"]
        assert isinstance(emissions, nn.Linear)
        return {"width": emissions.in_features, "tags": emissions.out_features}

    def forward(self, vectors: Tensor) -> Tensor:
        """*Shape:* (batch, tokens, width) -> (batch, tokens, tags)."""
        dropped: Tensor = self.head["dropout"](vectors)
        emissions: Tensor = self.head["emissions"](dropped)
        return emissions
