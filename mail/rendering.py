"""Renders mails: the HTML and the plain text of mail/templates."""

import re
from pathlib import Path
from typing import Any

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

import settings
from domain import russian
from gateways.mail.envelope import Attachment
from mail.headings import heading
from mail.samples import SAMPLE_FILES, SAMPLES
from mail.template import TEMPLATES
from mail.typography import typeset, typeset_html
from mail.unsubscribing import PLACE


def render(
    template: str, subject: str, words: dict[str, Any], attachments: tuple[Attachment, ...] = ()
) -> tuple[str, str]:
    """The HTML and the plain text of a mail."""
    current = settings.current()
    context = {
        "zone": current.time_zone,
        "site_url": current.site_url,
        "booking_page": current.booking_page,
        "phone": current.clinic_phone,
        "reply_to": current.email_reply_to and current.email_reply_to.addr_spec,
        "subject": subject,
        "unsubscribe_url": current.web_url and TEMPLATES[template].can_be_done_without and PLACE,
        "title": heading(template, words, current.time_zone).title,
        "files": {attachment.media_type.partition(";")[0] for attachment in attachments},
        **words,
    }
    html = ENVIRONMENT.get_template(f"{template}.html").render(context)
    text = ENVIRONMENT.get_template(f"{template}.txt").render(context)
    return typeset_html(INLINER.inline(html)), typeset(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")


def sample(template: str) -> tuple[str, str]:
    """The HTML and the plain text of a mail with made-up words, and a link to unsubscribe from nothing."""
    html, text = render(template, TEMPLATES[template].subject, SAMPLES[template], SAMPLE_FILES.get(template, ()))
    link = f"{settings.current().web_url}/unsubscribe/sample"
    return html.replace(PLACE, link), text.replace(PLACE, link)


# A mail program may drop <style>, and many do: every rule goes into the elements that it speaks of. The layout keeps a
# second <style> for what no element can carry. Nothing is fetched.
INLINER = CSSInliner(load_remote_stylesheets=False)


def sample_subject(template: str) -> str:
    """The subject of a mail with made-up words."""
    return heading(template, SAMPLES[template], settings.current().time_zone).subject


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "day_and_time": russian.day_and_time,
        "weekday_and_time": russian.weekday_and_time,
        "day": russian.day,
        "time_of_day": russian.time_of_day,
        "money": russian.money,
        "minutes": russian.minutes,
    }
    return environment


ENVIRONMENT = _environment()
