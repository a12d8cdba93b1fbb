"""A page that shows every mail with sample data, as a phone or a desktop shows it, by day and by night."""

from flask import Blueprint, Response, abort, render_template, request

from mail import rendering
from mail.template import TEMPLATES

# A mail brings its style along, and its pictures lie within it.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; object-src 'none'"
)

pages = Blueprint("mails", __name__, template_folder="templates")


@pages.get("/mails")
def overview() -> str:
    """Every template, framed."""
    subjects = {name: rendering.sample_subject(name) for name in TEMPLATES}
    dark = request.args.get("scheme") == "dark"
    return render_template("mails.html", templates=list(TEMPLATES.values()), subjects=subjects, dark=dark)


@pages.get("/mails/<name>.<kind>")
def mail(name: str, kind: str) -> Response:
    """One mail as the recipient's program gets it: html or txt."""
    if name not in TEMPLATES or kind not in {"html", "txt"}:
        abort(404)
    html, text = rendering.sample(name)
    if kind == "txt":
        return Response(text, mimetype="text/plain")
    return Response(html, mimetype="text/html", headers={"Content-Security-Policy": MAIL_POLICY})
