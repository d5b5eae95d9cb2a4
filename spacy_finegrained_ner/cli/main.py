"""The Typer app. spaCy imports it with every `spacy` command: it must stay light, so each verb
imports what it needs when it runs."""

import typer
from typer.core import TyperGroup

from spacy_finegrained_ner.cli import benchmark, knowledge, messages
from spacy_finegrained_ner.cli.annotate import annotate
from spacy_finegrained_ner.cli.back_off import back_off
from spacy_finegrained_ner.cli.calibrate import calibrate
from spacy_finegrained_ner.cli.check_name import check_name
from spacy_finegrained_ner.cli.compare import compare
from spacy_finegrained_ner.cli.convert import convert
from spacy_finegrained_ner.cli.doctor import doctor
from spacy_finegrained_ner.cli.evaluate import evaluate
from spacy_finegrained_ner.cli.export_chat import export_chat
from spacy_finegrained_ner.cli.fetch_encoder import fetch_encoder
from spacy_finegrained_ner.cli.fine_tune_llm import fine_tune_llm
from spacy_finegrained_ner.cli.init_config import init_config
from spacy_finegrained_ner.cli.init_taxonomy import init_taxonomy
from spacy_finegrained_ner.cli.llm_cache import llm_cache
from spacy_finegrained_ner.cli.meta import meta
from spacy_finegrained_ner.cli.report import report
from spacy_finegrained_ner.cli.serve import serve
from spacy_finegrained_ner.cli.show import show
from spacy_finegrained_ner.cli.teach import teach
from spacy_finegrained_ner.cli.tune import tune
from spacy_finegrained_ner.errors import UserError


class Verbs(TyperGroup):
    """What a user did wrong is told, without a traceback, and ends the command with 1."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        messages.print_anything()
        try:
            with messages.plain_warnings():
                return super().invoke(ctx)
        except (UserError, OSError) as error:
            messages.fail(str(error))
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=Verbs,
    name="finegrained-ner",
    help="Fine-grained NER: fetch, init, convert, doctor, evaluate, report, annotate, serve.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
VERBS = (
    *(fetch_encoder, convert, init_taxonomy, init_config),
    *(calibrate, back_off, evaluate, compare, check_name, meta, show, report, serve, annotate),
    *(teach, tune, llm_cache, export_chat, fine_tune_llm),
)
for verb in VERBS:
    app.command(verb.__name__.replace("_", "-"))(verb)
# It takes settings of a config, as `spacy train` does
app.command("doctor", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    doctor
)
app.add_typer(benchmark.app, name="benchmark")
app.add_typer(knowledge.app, name="knowledge")
