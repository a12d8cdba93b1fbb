"""Headers say to a receiver what was written, and only that: read back as RFC 2047 tells receivers to."""

import email
import email.policy
import json
import re
from base64 import b64decode
from dataclasses import replace
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import settings
from gateways.mail import mime, outbox, sendgrid
from gateways.mail.envelope import Attachment, Mail
from mail.checks import Unsendable, checked_address, checked_subject

CLINIC = Address("Balansity", addr_spec="no-reply@balansity.example")
WORD = re.compile(r"=\?utf-8\?b\?([A-Za-z0-9+/=]*)\?=")
INJECTION = "=?utf-8?q?=0d=0aBcc:_evil=40example.com?="

BROKEN = [
    f"a{end}Bcc: evil@example.com"
    for end in ("\r\n", "\r", "\n", "\r\n ", "\v", "\x1c", "\x85", "\u2028", "\0", "\ud800")
]

words = st.text(
    st.sampled_from('абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБЩЭЮЯab1 «»—№ʼəș,.:;"()<>@=?_'), min_size=1, max_size=25
)
russian = st.lists(words, min_size=1, max_size=12).map(" ".join)


def mail(subject: str, recipient: str = "anna@example.com") -> Mail:
    return Mail("report_ready", recipient, subject, "<p>Привет</p>", "Привет\n", (), "delivery-1")


def headers_of(content: bytes) -> dict[str, str]:
    """Each header's raw value, unfolded: a line end before white space is nothing."""
    head = content.partition(b"\r\n\r\n")[0].decode("ascii")
    lines = re.sub(r"\r\n(?=[ \t])", "", head).split("\r\n")
    assert all(len(line) <= 76 for line in head.split("\r\n") if "=?" in line)
    names = [line.partition(": ")[0] for line in lines]
    assert len(set(names)) == len(names)
    return {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}


def decoded(value: str) -> str:
    """White space between adjacent encoded words does not count (RFC 2047, 6.2)."""
    value = re.sub(r"(?<=\?=)[ \t]+(?==\?)", "", value)
    return WORD.sub(lambda word: b64decode(word[1], validate=True).decode(), value)


@hypothesis_settings(deadline=None, max_examples=400)
@given(russian)
@example("Ваш отчет готов: результаты чекапа для Константина Константиновича и Анны Александровны")
@example("Subject of many words  with two  spaces that is much longer than seventy-eight characters are")
@example(INJECTION)
@example(f"Отчет {INJECTION}")
@example("Я" * 250)
def test_a_subject_is_read_as_it_was_written(subject: str) -> None:
    headers = headers_of(mime.build(mail(subject), CLINIC).as_bytes())
    assert decoded(headers["Subject"]) == subject
    assert set(headers) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Balansity-Template",
        "X-Balansity-Delivery", "MIME-Version", "Content-Type",
    }  # fmt: skip


@hypothesis_settings(deadline=None, max_examples=200)
@given(russian.filter(str.strip))
@example("Клиника «Баланс» семейной психологии и психотерапии, отделение на Большой Никитской улице")
@example(INJECTION)
@example('Balansity, "clinic"')
@example('"')
def test_a_senders_name_is_read_as_it_was_written(name: str) -> None:
    sender = Address(name, addr_spec="no-reply@balansity.example")
    written = headers_of(mime.build(mail("Тема"), sender).as_bytes())["From"]
    phrase = decoded(written).removesuffix(" <no-reply@balansity.example>")
    assert (re.sub(r"\\(.)", r"\1", phrase[1:-1]) if written[0] == '"' else phrase) == name


def test_an_outbox_file_holds_the_same_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EMAIL_OUTBOX_DIR", str(tmp_path))
    monkeypatch.setenv("EMAIL_FROM", "Клиника Баланс <no-reply@balansity.example>")
    monkeypatch.setenv("EMAIL_REPLY_TO", "Помощь <help@balansity.example>")
    settings.current.cache_clear()
    subject = "Напоминание о консультации у детского психолога в среду, 25 ноября, в 10:35"
    outbox.send(mail(subject))
    settings.current.cache_clear()
    [file] = tmp_path.glob("*.eml")
    headers = headers_of(file.read_bytes())
    assert decoded(headers["Subject"]) == subject
    assert decoded(headers["From"]) == "Клиника Баланс <no-reply@balansity.example>"
    assert decoded(headers["Reply-To"]) == "Помощь <help@balansity.example>"


def test_sendgrid_is_told_where_answers_go(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "reply_to" not in sendgrid._body(mail("Тема"))
    monkeypatch.setenv("EMAIL_REPLY_TO", "Помощь <help@balansity.example>")
    settings.current.cache_clear()
    asked = sendgrid._body(mail("Тема"))
    settings.current.cache_clear()
    assert asked["reply_to"] == {"email": "help@balansity.example", "name": "Помощь"}


@pytest.mark.parametrize("text", [INJECTION, f"Отчет {INJECTION}", "=?utf-8?b?0K8=?= и =?koi8-r?q?=FF?="])
def test_a_callers_encoded_word_is_text(text: str) -> None:
    subject = checked_subject(text)
    assert subject == text
    written = headers_of(mime.build(mail(subject), CLINIC).as_bytes())
    assert decoded(written["Subject"]) == text
    asked = sendgrid._body(mail(subject))["subject"]  # whose header SendGrid writes
    assert asked.replace("= ?", "=?") == text
    assert not re.search(r"=\?.*\?=", asked)


@pytest.mark.parametrize("text", [INJECTION, f"{INJECTION}.pdf", 'a"; x="b', "отчёт №1.pdf", "x" * 2_000, *BROKEN])
@pytest.mark.parametrize("field", ["filename", "media_type", "template", "delivery_id"])
def test_nothing_of_a_mail_adds_a_header(field: str, text: str) -> None:
    odd: dict[str, Any] = {field: text}
    file, whole = Attachment("report.pdf", "application/pdf", b"%PDF-"), mail("Тема")
    if hasattr(file, field):
        file = replace(file, **odd)
    else:
        whole = replace(whole, **odd)
    whole = replace(whole, attachments=(file,))
    content = mime.build(whole, CLINIC).as_bytes()
    assert not re.search(rb"(?mi)^bcc", content)
    assert max(map(len, content.split(b"\r\n"))) <= 998
    read = email.message_from_bytes(content)  # by the old parser, which decodes nothing
    names = [name for part in read.walk() for name in part.keys()]  # noqa: SIM118 - a message iterates otherwise
    assert set(names) <= {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Balansity-Template",
        "X-Balansity-Delivery", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition",
    }  # fmt: skip
    [attached] = [part for part in read.walk() if part.get_content_disposition() == "attachment"]
    assert attached.get_payload(decode=True) == file.content
    if field == "filename":
        assert attached.get_filename() == mime.one_line(text)[-100:]


@pytest.mark.parametrize("text", BROKEN)
def test_no_receiver_that_decodes_a_header_finds_a_lines_end_in_it(text: str) -> None:
    """Some write on what they have decoded, and an injected header follows there."""
    sender = Address(text.partition("Bcc")[0].replace("\r", "").replace("\n", "") or "a", addr_spec=CLINIC.addr_spec)
    file = Attachment(text, "application/pdf", b"%PDF-")
    whole = replace(mail(text, text), template=text, delivery_id=text, attachments=(file,))
    read = email.message_from_bytes(mime.build(whole, sender).as_bytes(), policy=email.policy.default)
    values = [str(value) for part in read.walk() for value in part.values()]
    assert not any(mime.one_line(value) != value for value in values)
    body = json.dumps(sendgrid._body(whole), ensure_ascii=False)
    for said in (json.loads(body)["subject"], json.loads(body)["attachments"][0]["filename"]):
        assert mime.one_line(said) == said


def test_an_address_that_is_an_encoded_word_is_no_address() -> None:
    with pytest.raises(Unsendable, match="malformed"):
        checked_address("=?utf-8?q?=0d=0abcc?=@example.com")
    assert "\r\n" not in headers_of(mime.build(mail("Тема", "a@b.c\r\nBcc: evil@example.com"), CLINIC).as_bytes())["To"]
