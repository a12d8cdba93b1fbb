"""The outbox folder: every mail as an .eml file that any mail program opens."""

from collections.abc import Iterable

import settings
from errors import ProviderAway, RetryableError
from gateways import private
from gateways.mail import mime
from gateways.mail.envelope import Accepted, Mail

UUID_LENGTH = 36  # characters


def send(mail: Mail) -> Accepted:
    """Write `mail`; the file's name is the delivery's, so that writing it twice leaves one file.

    Raises:
        ProviderAway: nothing can be written there: the disk is full, the folder is read-only …
    """
    current = settings.current()
    folder = current.email_outbox_dir
    path = folder / f"{mail.template}-{mail.delivery_id}.eml"
    try:
        private.make_folder(folder)
        private.write(path, mime.build(mail, current.email_from, current.email_reply_to).as_bytes())
    except OSError as error:
        raise ProviderAway(f"Cannot write to EMAIL_OUTBOX_DIR {folder}: {error.strerror}") from error
    return Accepted(path.name, "written to EMAIL_OUTBOX_DIR")


def remove(delivery_ids: Iterable[str]) -> int:
    """Remove the files of these deliveries; returns how many there were."""
    folder, unwanted = settings.current().email_outbox_dir, set(delivery_ids)
    files = [path for path in folder.glob("*.eml") if path.stem[-UUID_LENGTH:] in unwanted]
    try:
        for path in files:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise RetryableError(f"Cannot remove from EMAIL_OUTBOX_DIR {folder}: {error.strerror}") from error
    return len(files)
