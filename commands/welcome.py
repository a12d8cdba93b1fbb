"""What `up` says once its pages answer: where they are, how to log in, where mails go, and how all of it ends."""

import shutil
import sys
from pathlib import Path

import settings
from commands.output import short
from settings import Settings


def welcome(current: Settings, *, has_pages: bool) -> str:
    """The lines of it."""
    return "\n".join(
        [
            *(_pages(current) if has_pages else []),
            f"Mails: {_mails(current)}.",
            f"How it goes: {_command()} status, in another terminal.",
            "Ctrl-C ends all of it.",
        ]
    )


def _pages(current: Settings) -> list[str]:
    address = f"http://localhost:{current.port}"
    if current.web_users:
        return [
            f"Pages: {address}, log in as {' or '.join(f'{user.name} ({user.role})' for user in current.web_users)}."
        ]
    return [
        f"Pages: {address}, but nobody may log in yet. This asks for a password; then start anew:",
        f"""  echo "WEB_USERS='$({_command()} user vera --role operator)'" >> {short(settings.env_file())}""",
    ]


def _mails(current: Settings) -> str:
    match current.email_provider:
        case "file":
            return f"files in {short(current.email_outbox_dir)}, for EMAIL_PROVIDER=file sends none"
        case "smtp":
            return f"sent by {current.smtp_host}:{current.smtp_port}"
        case "sendgrid":
            return "checked by SendGrid, and delivered to nobody" if current.sendgrid_sandbox else "sent by SendGrid"


def _command() -> str:
    """The command as whoever reads this can type it."""
    return "balansity" if shutil.which("balansity") else short(Path(sys.argv[0]))
