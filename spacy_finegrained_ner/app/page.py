"""The page to type in: one file that needs nothing from elsewhere."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from spacy.language import Language

from spacy_finegrained_ner.app.answer import about

_TEMPLATES = Environment(
    loader=PackageLoader("spacy_finegrained_ner.app"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)
_SCRIPT = Path(__file__).parent / "templates" / "page.js"


def render(nlp: Language) -> tuple[str, dict[str, str]]:
    """The page for a pipeline, and the headers to send with it: by those a browser runs the page's
    own script and no other, and asks nobody but its server.

    Raises a `UserError` for a pipeline without a trained component of this package.
    """
    script = _SCRIPT.read_text(encoding="utf-8")
    html = _TEMPLATES.get_template("page.html").render(script=Markup(script), **about(nlp))
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; connect-src 'self'; script-src 'sha256-{digest}'; "
        "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return html, {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
