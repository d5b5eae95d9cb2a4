import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from spacy_finegrained_ner.nn.bilstm import BiLSTM

LENGTHS = [3, 0, 5, 1]


def module(layers: int = 1, dropout: float = 0.0) -> BiLSTM:
    torch.manual_seed(0)
    return BiLSTM(4, 3, layers, dropout)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    vectors = torch.randn(len(LENGTHS), max(LENGTHS), 4, generator=torch.Generator().manual_seed(1))
    for row, n in zip(vectors, LENGTHS, strict=True):
        row[n:] = 1e6
    return vectors, torch.tensor(LENGTHS)


def cell(lstm: torch.nn.LSTM, sentence: torch.Tensor) -> list[torch.Tensor]:
    """One direction of one layer, by the formulas of torch's documentation."""
    weights = dict(lstm.named_parameters())
    h, c, states = torch.zeros(3), torch.zeros(3), []
    for x in sentence:
        gates = weights["weight_ih_l0"] @ x + weights["bias_ih_l0"]
        gates = gates + weights["weight_hh_l0"] @ h + weights["bias_hh_l0"]
        i, f, g, o = gates.split(3)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    return states


def test_equals_the_formulas_on_each_sentence_then_leaky_relu():
    bilstm = module()
    vectors, lengths = batch()
    found = bilstm(vectors, lengths)
    for row, n in enumerate(LENGTHS):
        ahead = cell(bilstm.ahead[0], vectors[row, :n])
        back = cell(bilstm.back[0], vectors[row, :n].flip(0))[::-1]
        for i in range(n):
            state = torch.cat([ahead[i], back[i]])
            torch.testing.assert_close(found[row, i], torch.where(state < 0, 0.01 * state, state))
    assert (found < 0).any()
    assert found.shape == (*vectors.shape[:2], bilstm.width_out)


@pytest.mark.parametrize("layers", [1, 2])
def test_padded_equals_alone_and_nothing_leaks_in_the_gradient_either(layers):
    bilstm = module(layers)
    vectors, lengths = batch()
    vectors.requires_grad_()
    found = bilstm(vectors, lengths)
    for row, n in enumerate(LENGTHS):
        alone = bilstm(vectors[row : row + 1, :n], lengths[row : row + 1])
        torch.testing.assert_close(found[row, :n], alone[0])
        (gradient,) = torch.autograd.grad(found[row, :n].sum(), vectors, retain_graph=True)
        assert gradient[row, :n].any(dim=1).all()
        gradient[row, :n] = 0.0
        assert not gradient.any()


@pytest.mark.parametrize("layers", [1, 2])
def test_equals_torch_on_packed_sentences(layers):
    """torch's bidirectional LSTM, given the same weights."""
    bilstm = module(layers)
    lstm = torch.nn.LSTM(4, 3, num_layers=layers, bidirectional=True, batch_first=True)
    with torch.no_grad():
        for i, (ahead, back) in enumerate(zip(bilstm.ahead, bilstm.back, strict=True)):
            for name, weight in ahead.named_parameters():
                lstm.get_parameter(name.replace("l0", f"l{i}")).copy_(weight)
            for name, weight in back.named_parameters():
                lstm.get_parameter(name.replace("l0", f"l{i}_reverse")).copy_(weight)
    vectors, lengths = batch()
    full = lengths > 0  # packing takes no empty sentences
    packed = pack_padded_sequence(vectors[full], lengths[full], True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(lstm(packed)[0], batch_first=True)
    found = bilstm(vectors[full], lengths[full])
    for row, n in enumerate(lengths[full].tolist()):
        state = expected[row, :n]
        torch.testing.assert_close(found[row, :n], torch.where(state < 0, 0.01 * state, state))


@pytest.mark.parametrize("shape", [(0, 0), (2, 0), (2, 3)])
def test_a_batch_of_empty_sentences(shape):
    bilstm = module()
    found = bilstm(torch.zeros(*shape, 4), torch.zeros(shape[0], dtype=torch.long))
    assert found.shape == (*shape, bilstm.width_out)


@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_acts_between_layers_in_training_only(layers):
    bilstm = module(layers, dropout=0.5)
    vectors, lengths = batch()
    once, again = bilstm.train()(vectors, lengths), bilstm(vectors, lengths)
    assert torch.equal(once, again) == (layers == 1)
    assert torch.equal(bilstm.eval()(vectors, lengths), bilstm(vectors, lengths))
