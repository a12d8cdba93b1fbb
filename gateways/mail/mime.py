"""A mail as the bytes that SMTP carries and .eml files hold."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime

from gateways.mail.envelope import Attachment, Mail


def build(mail: Mail, sender: Address) -> EmailMessage:
    """The whole message; its Message-ID is the delivery's, so that two copies are recognised as one."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = message_id(mail, sender)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Balansity-Template"] = mail.template
    message["X-Balansity-Delivery"] = mail.delivery_id
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    for attachment in mail.attachments:
        _attach(message, attachment)
    return message


def message_id(mail: Mail, sender: Address) -> str:
    return f"<{mail.delivery_id}@{sender.domain}>"


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    media_type, *parameters = (part.strip() for part in attachment.media_type.split(";"))
    maintype, _, subtype = media_type.partition("/")
    message.add_attachment(
        attachment.content,
        maintype=maintype,
        subtype=subtype,
        filename=attachment.filename,
        params=dict(parameter.split("=", 1) for parameter in parameters),
    )
