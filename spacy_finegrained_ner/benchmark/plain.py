"""The same torch modules without spaCy: a plain training loop, and as fast as they can go."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from spacy_finegrained_ner.benchmark.pipelines import Pipeline
from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.data.gold import gold_of
from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.nn.crf_loss import crf_loss

Sentence = tuple[list[str], Tensor, Tensor]
"""Words, fine tags, coarse tags."""


class PlainLoop:
    """What one writes without spaCy: tokenize, forward, loss, backward, clip, AdamW.

    The modules are copies of those of a pipeline, the batches those that it makes.
    """

    def __init__(self, ours: Pipeline, weight: float = 0.5) -> None:
        self._ours, self._weight = ours, weight
        self.modules = Modules(ours)
        component: Any = ours.nlp.get_pipe("finegrained_ner")
        fine: TagSet = component._tag_set
        coarse: TagSet = component._auxiliary_tag_set
        self._legal = [
            (torch.from_numpy(t.legal_transitions), torch.from_numpy(t.legal_starts))
            for t in (fine, coarse)
        ]
        self._sentences: dict[int, Sentence] = {}
        for example in ours._examples:
            gold = gold_of(example, fine)
            (other,) = component.auxiliary.gold([example], [gold], fine, component.taxonomy)
            words = [token.text for token in example.predicted]
            tags = torch.from_numpy(gold.tags), torch.from_numpy(other.tags)
            self._sentences[id(example)] = words, *tags
        tagger, encoder = self.modules.tagger, self.modules.encoder
        self._parameters = [*encoder.parameters(), *tagger.parameters()]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": list(encoder.parameters()), "lr": 2e-4},
                {"params": list(tagger.parameters()), "lr": 2e-3},
            ],
            weight_decay=0.01,
            fused=True,
        )

    def train(self, epoch: int, part: int = 1) -> int:
        """As `Pipeline.train`."""
        self.modules.train()
        batches = self._ours.batches(epoch)
        batches = batches[: max(1, len(batches) // part)]
        for batch in batches:
            self._step([self._sentences[id(example)] for example in batch])
        return sum(len(example) for batch in batches for example in batch)

    def _step(self, batch: list[Sentence]) -> None:
        lengths = torch.tensor([len(words) for words, _, _ in batch])
        scores = self.modules(*self.modules.tokenize([words for words, _, _ in batch]))
        loss = torch.zeros(())
        for place, weight in ((0, 1.0), (1, self._weight)):
            emissions, transitions, starts, ends = scores[place]
            legal, legal_starts = self._legal[place]
            gold = pad_sequence([tags[place] for _, *tags in batch], True, UNKNOWN)
            loss = loss + weight * crf_loss(
                emissions,
                gold,
                lengths,
                transitions.masked_fill(~legal, -torch.inf),
                starts.masked_fill(~legal_starts, -torch.inf),
                ends,
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()


class Modules:
    """Encoder, mean over the wordpieces of a word, tagger: copies of those of a pipeline."""

    def __init__(self, ours: Pipeline) -> None:
        transformer: Any = ours.nlp.get_pipe("transformer")
        component: Any = ours.nlp.get_pipe("finegrained_ner")
        self.tokenizer = transformer.model.tokenizer
        self.encoder = copy.deepcopy(transformer.model.transformer)
        self.tagger = copy.deepcopy(component.model.get_ref("tagger").shims[0].module)

    def train(self, mode: bool = True) -> None:
        self.encoder.train(mode)
        self.tagger.train(mode)

    def tokenize(self, sentences: Sequence[list[str]]) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Inputs of the encoder; for each wordpiece the place of its word in the padded words,
        *Shape:* (batch, wordpieces), and one place behind them all for what has no word; and the
        lengths, *Shape:* (batch,)."""
        encoded = self.tokenizer(
            list(sentences), is_split_into_words=True, padding=True, return_tensors="pt"
        )
        longest = max(map(len, sentences))
        nowhere = len(sentences) * longest
        places = [
            [nowhere if word is None else i * longest + word for word in encoded.word_ids(i)]
            for i in range(len(sentences))
        ]
        lengths = torch.tensor([len(words) for words in sentences])
        return dict(encoded), torch.tensor(places), lengths

    def __call__(self, inputs: dict[str, Tensor], places: Tensor, lengths: Tensor) -> Any:
        hidden = self.encoder(**inputs).last_hidden_state.flatten(0, 1)
        size = len(lengths) * int(lengths.max())
        flat = places.flatten()
        sums = hidden.new_zeros((size + 1, hidden.shape[1])).index_add(0, flat, hidden)
        counts = torch.bincount(flat, minlength=size + 1).clamp(min=1).unsqueeze(1)
        words = (sums / counts)[:-1].view(len(lengths), -1, hidden.shape[1])
        return self.tagger(words, lengths)


class Alone:
    """The modules, or the encoder only, on ideally padded batches that were tokenized before:
    sorted by the number of wordpieces, so that all that remains is arithmetic."""

    def __init__(self, ours: Pipeline, *, encoder_only: bool, size: int, limit: int) -> None:
        """size: sentences of a batch in training. limit: padded wordpieces of one in prediction."""
        self._modules, self._encoder_only = Modules(ours), encoder_only
        sentences = [[token.text for token in eg.predicted] for eg in ours._examples]
        pieces = self._modules.tokenizer(sentences, is_split_into_words=True)["input_ids"]
        order = sorted(range(len(sentences)), key=lambda i: len(pieces[i]))
        ordered = [sentences[i] for i in order]
        lengths = [len(pieces[i]) for i in order]
        tokenize = self._modules.tokenize
        self._training = [tokenize(ordered[i : i + size]) for i in range(0, len(ordered), size)]
        bounds, start = [], 0
        for end, length in enumerate(lengths):
            if end > start and (end + 1 - start) * length > limit:
                bounds.append((start, end))
                start = end
        bounds.append((start, len(ordered)))
        self._prediction = [tokenize(ordered[a:b]) for a, b in bounds]
        self._words = sum(map(len, sentences))

    def train(self, epoch: int, part: int = 1) -> int:
        """Forward and backward, without loss or optimizer."""
        self._modules.train()
        batches = self._training[::part]
        for inputs, _, _ in batches:
            hidden = self._modules.encoder(**inputs).last_hidden_state
            hidden.backward(torch.ones_like(hidden))
            for parameter in self._modules.encoder.parameters():
                parameter.grad = None
        return sum(int(lengths.sum()) for _, _, lengths in batches)

    def prepare(self) -> None:
        """Nothing: all is ready."""

    def annotate(self) -> int:
        """Forward only."""
        self._modules.train(False)
        with torch.inference_mode():
            for inputs, places, lengths in self._prediction:
                if self._encoder_only:
                    self._modules.encoder(**inputs)
                else:
                    self._modules(inputs, places, lengths)
        return self._words
