"""The sequence layer."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class BiLSTM(nn.Module):
    """A bidirectional LSTM, then leaky ReLU (as the paper's code has it).

    width: of the input. hidden: of each direction. dropout: between the layers.
    """

    def __init__(self, width: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            width,
            hidden,
            num_layers=layers,
            dropout=dropout if layers > 1 else 0.0,
            bidirectional=True,
            batch_first=True,
        )
        self.width_out = 2 * hidden

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """*Shape:* (batch, tokens, width), (batch,) -> (batch, tokens, 2 * hidden).

        Packed, so that the backward direction begins at the last token and not in the padding.
        """
        if not vectors.shape[1]:
            return vectors.new_zeros((*vectors.shape[:2], self.width_out))
        # Packing takes no empty sequences: they run over one token of padding.
        packed = pack_padded_sequence(
            vectors, lengths.cpu().clamp(min=1), batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=vectors.shape[1]
        )
        return leaky_relu(states)
