"""What parts of your own are made of: their contracts, and what they are given. See
docs/extending.md, whose examples the tests run."""

from spacy_finegrained_ner.contracts import UNKNOWN, Combination, LossCombination, Schedule
from spacy_finegrained_ner.labels.bio import OUTSIDE, Entity, TagSet
from spacy_finegrained_ner.labels.gold import Gold
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.ml.blocks import Blending
from spacy_finegrained_ner.ml.decoder import Decoder, Decoding
from spacy_finegrained_ner.ml.tagger_layer import TaskScores
from spacy_finegrained_ner.nn.blending import neighbours
from spacy_finegrained_ner.nn.crf import Expectations, expectations
from spacy_finegrained_ner.nn.crf_loss import crf_cross_entropy, crf_loss
from spacy_finegrained_ner.nn.loss import token_cross_entropy
from spacy_finegrained_ner.nn.posteriors import SpanPosteriors, span_posteriors
from spacy_finegrained_ner.nn.viterbi import viterbi
from spacy_finegrained_ner.pipeline.auxiliary import AuxiliaryTask
from spacy_finegrained_ner.scoring.scorer import score_entities

IGNORE = UNKNOWN
"""As torch calls it in a tensor of gold tags."""
Scores = TaskScores  # its name before

__all__ = [
    "IGNORE",
    "OUTSIDE",
    "UNKNOWN",
    "AuxiliaryTask",
    "Blending",
    "Combination",
    "Decoder",
    "Decoding",
    "Entity",
    "Expectations",
    "Gold",
    "LossCombination",
    "Prediction",
    "Schedule",
    "Scores",
    "SpanPosteriors",
    "TagSet",
    "TaskScores",
    "Taxonomy",
    "crf_cross_entropy",
    "crf_loss",
    "expectations",
    "neighbours",
    "score_entities",
    "span_posteriors",
    "token_cross_entropy",
    "viterbi",
]
