"""What a mailbox provider would hold against the sender's domain is said, by a DNS server of the test's own."""

from base64 import b64encode
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import settings
from checks.sender import reputation
from tests.servers.dns import Records, answering

CLINIC = "mail.clinic.ru"


def dkim_key(bits: int) -> str:
    key = rsa.generate_private_key(65537, bits).public_key()
    return f"v=DKIM1; k=rsa; p={b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()}"


GOOD_KEY = dkim_key(2048)


def text(words: str) -> list[str]:
    """A TXT record, in pieces of at most 255 characters, as they must be."""
    return [" ".join(f'"{words[at : at + 200]}"' for at in range(0, len(words), 200))]


SOUND: Records = {
    (CLINIC, "MX"): ["10 mx.clinic.ru."],
    (CLINIC, "TXT"): [*text("v=spf1 include:_spf.relay.ru ~all"), *text("site-verification=7")],
    ("_spf.relay.ru", "TXT"): text("v=spf1 ip4:192.0.2.0/24 a:relay.ru -all"),
    (f"s1._domainkey.{CLINIC}", "TXT"): text(GOOD_KEY),
    ("_dmarc.clinic.ru", "TXT"): text("v=DMARC1; p=reject; sp=quarantine"),
}


@pytest.fixture(autouse=True)
def by_smtp(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "EMAIL_PROVIDER": "smtp",
        "SMTP_HOST": "h",
        "EMAIL_FROM": f"no-reply@{CLINIC}",
        "CLINIC_PHONE": "12345",
    }.items():
        monkeypatch.setenv(name, value)
    settings.current.cache_clear()
    yield
    settings.current.cache_clear()


def verdicts(records: Records | None) -> dict[str, tuple[str, str]]:
    with answering(records):
        return {finding.check: (finding.verdict, finding.what) for finding in reputation()}


def test_a_domain_that_has_all_three_is_sound() -> None:
    found = verdicts(SOUND)
    assert {check: verdict for check, (verdict, _) in found.items()} == dict.fromkeys(
        ("sender-spf", "sender-dkim", "sender-dmarc"), "good"
    )
    assert "quarantine, by _dmarc.clinic.ru" in found["sender-dmarc"][1]
    assert found["sender-dkim"][1].endswith("s1")


@pytest.mark.parametrize(
    ("place", "record", "check", "verdict", "says"),
    [
        ((CLINIC, "TXT"), [], "sender-spf", "note", "has no SPF record"),
        ((CLINIC, "TXT"), text("v=spf10 -all"), "sender-spf", "note", "has no SPF record"),
        ((CLINIC, "TXT"), ['"v=spf1 -all"', '"v=spf1 ~all"'], "sender-spf", "bad", "2 SPF records"),
        ((CLINIC, "TXT"), text("v=spf1 a mx +all"), "sender-spf", "bad", "lets anybody send"),
        ((CLINIC, "TXT"), text("v=spf1 " + "a:h.ru " * 11 + "-all"), "sender-spf", "bad", "11 or more look-ups"),
        (
            (CLINIC, "TXT"),
            text("v=spf1 include:_spf.relay.ru " + "mx " * 9 + "-all"),
            "sender-spf",
            "bad",
            "11 or more",
        ),
        ((CLINIC, "TXT"), text(f"v=spf1 include:{CLINIC} redirect={CLINIC}"), "sender-spf", "good", "can be read"),
        ((CLINIC, "MX"), ["0 ."], "sender-domain", "note", "no server that takes mail"),
        ((CLINIC, "MX"), [], "sender-domain", "note", "no server that takes mail"),
        ((f"s1._domainkey.{CLINIC}", "TXT"), [], "sender-dkim", "note", "No DKIM key"),
        ((f"s1._domainkey.{CLINIC}", "TXT"), text("v=DKIM1; p="), "sender-dkim", "bad", "was withdrawn"),
        ((f"s1._domainkey.{CLINIC}", "TXT"), text("k=rsa; p=AAAA"), "sender-dkim", "bad", "cannot be read"),
        ((f"s1._domainkey.{CLINIC}", "TXT"), text("k=ed25519; p=AAAA"), "sender-dkim", "good", "s1"),
        (("_dmarc.clinic.ru", "TXT"), [], "sender-dmarc", "note", "has no DMARC record"),
        (("_dmarc.clinic.ru", "TXT"), text("v=DMARC1; p=rejct"), "sender-dmarc", "bad", "cannot be read"),
        (("_dmarc.clinic.ru", "TXT"), ['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'], "sender-dmarc", "bad", "as one"),
        ((f"_dmarc.{CLINIC}", "TXT"), text("v=DMARC1; p=none"), "sender-dmarc", "good", "is none"),
    ],
)
def test_each_fault_is_told_by_itself(
    place: tuple[str, str], record: list[str], check: str, verdict: str, says: str
) -> None:
    found = verdicts(SOUND | {place: record})
    assert found[check][0] == verdict
    assert says in found[check][1]
    assert {other: told[0] for other, told in found.items() if other != check} == {
        other: "good" for other in ("sender-spf", "sender-dkim", "sender-dmarc") if other != check
    }


def test_a_key_is_looked_for_under_the_name_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {(f"clinic2026._domainkey.{CLINIC}", "TXT"): text(GOOD_KEY), (f"s1._domainkey.{CLINIC}", "TXT"): []}
    assert verdicts(SOUND | own)["sender-dkim"][0] == "note"
    monkeypatch.setenv("EMAIL_DKIM_SELECTOR", "clinic2026")
    settings.current.cache_clear()
    assert verdicts(SOUND | own)["sender-dkim"][0] == "good"


def test_where_there_is_no_dns_it_says_that_and_soon() -> None:
    [(verdict, what)] = verdicts(None).values()
    assert verdict == "note"
    assert f"SPF, DKIM and DMARC of {CLINIC} could not be looked up" in what


def test_a_domain_for_examples_is_refused_without_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_FROM", "no-reply@balansity.example")
    settings.current.cache_clear()
    assert verdicts(None)["sender-domain"][0] == "bad"


def test_mail_that_goes_to_files_is_asked_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_PROVIDER", "file")
    settings.current.cache_clear()
    assert verdicts(None) == {}


def test_mails_that_name_nobody_to_turn_to_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLINIC_PHONE")
    settings.current.cache_clear()
    assert verdicts(SOUND)["sender-contact"][0] == "note"
