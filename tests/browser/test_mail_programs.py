"""What a mail asks of mail programs, each of them has, or can do without: as caniemail.com knows them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from mail import rendering
from mail.template import TEMPLATES

FOLDER = Path(__file__).parents[1] / "mail_programs"

# What some programs lack, and what a reader sees there instead.
DISPENSABLE = {
    "<style> element": "every rule stands in the elements too: no dark colours, a desktop's layout on a phone",
    "@media": "the same",
    "<body> element": "the table of class page has the body's colour",
    "border-radius": "corners are square",
    "color-scheme meta tag": "dark colours are the program's own",
    "display:none": "the preview has one pixel's size, and the colour of what is below it",
    "max-height property": "the same; Outlook has mso-hide",
    "opacity": "the same",
    "overflow": "the same",
    "role attribute": "a screen reader may count tables",
    "text-decoration": "the button's words are underlined",
    "word-break": "Outlook on Windows has the width of a desktop",
}


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs Debian's package npm")
def test_no_mail_needs_what_a_mail_program_lacks() -> None:
    if not (FOLDER / "node_modules").is_dir():
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=FOLDER, check=True, capture_output=True, timeout=240
        )
    mails = {name: rendering.sample(name)[0] for name in TEMPLATES}
    asked = subprocess.run(
        ["node", "ask.js"], cwd=FOLDER, input=json.dumps(mails), capture_output=True, text=True, timeout=60, check=True
    )
    lacking = {(name, feature) for name, features in json.loads(asked.stdout).items() for feature in features}
    assert {name for name, _ in lacking} == TEMPLATES.keys()
    assert not {(name, feature) for name, feature in lacking if feature not in DISPENSABLE}
