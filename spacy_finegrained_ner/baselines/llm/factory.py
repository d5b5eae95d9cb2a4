"""The factory `finegrained_llm` and its default config.

spaCy imports this module with every `Language()`: it must stay light. The name is not `llm_ner`:
spacy-llm registers that, and two factories of one name break every pipeline where both are
installed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spacy.language import Language

from spacy_finegrained_ner.scoring.score_weights import SCORE_WEIGHTS

if TYPE_CHECKING:
    from spacy_finegrained_ner.baselines.llm.component import LlmNER


@Language.factory(
    "finegrained_llm",
    assigns=["doc.ents", "doc.spans", "token.ent_iob", "token.ent_type"],
    default_config={
        "api_key_env": None,
        "examples": {"@misc": "spacy-finegrained-ner.FixedExamples.v1", "number": 10, "seed": 0},
        "request": {
            "response_format": "json_schema",
            "max_tokens": 1000,
            "temperature": 0.0,
            "seed": 0,
            "extra": {},
        },
        "limits": {
            "parallel": 4,
            "timeout": 60.0,
            "retries": 4,
            "first_wait": 1.0,
            "max_wait": 60.0,
            "give_up_after": 20,
        },
        "budget": {"requests": None, "tokens": None, "cost": None},
        "prices": {"prompt": None, "answer": None},
        "cache": "llm_cache",
        "progress": True,
        "annotate": "overwrite",
        "spans_key": "finegrained_llm",
        "extensions": {"coarse_label": "coarse_label"},
        "scorer": {"@scorers": "spacy-finegrained-ner.scorer.v1"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
def make_finegrained_llm(
    nlp: Language,
    name: str,
    url: str,
    model: str,
    api_key_env: str | None,
    examples: Any,
    request: dict[str, Any],
    limits: dict[str, Any],
    budget: dict[str, Any],
    prices: dict[str, Any],
    cache: str | None,
    progress: bool,
    annotate: str,
    spans_key: str,
    extensions: dict[str, Any],
    scorer: Callable[..., dict[str, Any]] | None,
) -> "LlmNER":
    """Make the component.

    url: of an OpenAI-compatible API, such as http://localhost:11434/v1. model: its name there.
    api_key_env: the name of the environment variable that holds the key; null for none. The key is
        never in a config.
    examples: gold texts in each prompt, such as `spacy-finegrained-ner.FixedExamples.v1`.
    request, limits, budget, prices: see `baselines.llm.settings`.
    cache: folder of the answers; null to keep them only as long as the component is there.
    progress: whether a bar (on a terminal) and a line at the end of `nlp.pipe` are written to
        standard error.
    annotate: "overwrite" replaces `doc.ents`, "fill" adds to it where nothing is, "spans" writes
        `doc.spans[spans_key]` and leaves `doc.ents` alone.
    extensions: names of the extension attributes of Span, see `data.extensions`.
    scorer: used by `nlp.evaluate`.
    """
    try:
        from spacy_finegrained_ner.baselines.llm.component import LlmNER
    except ModuleNotFoundError as error:
        if error.name not in ("httpx", "tenacity"):
            raise
        raise ImportError(
            f"The component {name!r} (finegrained_llm) needs {error.name}: "
            'pip install "spacy-finegrained-ner[llm]"'
        ) from None

    return LlmNER(
        nlp.vocab,
        name,
        url=url,
        model=model,
        api_key_env=api_key_env,
        examples=examples,
        request=request,
        limits=limits,
        budget=budget,
        prices=prices,
        cache=cache,
        progress=progress,
        annotate=annotate,
        spans_key=spans_key,
        extensions=extensions,
        scorer=scorer,
    )
