"""What mailbox providers hold against a sender's domain: the rules of SPF, DKIM and DMARC."""

import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

Texts = Callable[[str], list[str]]  # the TXT records of a name

MOST_LOOKUPS = 10  # RFC 7208, 4.6.4: a receiver that would have to ask more often takes the record for broken
SHORTEST_KEY_BITS = 1024  # RFC 8301
LOOKED_UP = re.compile(r"[+?~-]?(?:include|exists):|[+?~-]?(?:a|mx|ptr)(?:[:/]|$)|redirect=", re.IGNORECASE)
LEADS_ON = re.compile(r"(?:[+?~-]?include:|redirect=)(.+)", re.IGNORECASE)

# Under which names keys stand where nobody has said: those of SendGrid first, then of relays that many use.
USUAL_SELECTORS = ("s1", "s2", "default", "dkim", "mail", "smtp", "selector1", "selector2", "google", "k1", "mailru")


class Opinion(NamedTuple):
    """What one of the three says of a domain, as a finding of doctor's is judged; and what to do."""

    verdict: str
    what: str
    remedy: str = ""


def of_spf(domain: str, texts: Texts) -> Opinion:
    """Who may send in the domain's name."""
    records = _spf_records(domain, texts)
    if not records:
        remedy = f"Let {domain} have a TXT record such as `v=spf1 include:YOUR-RELAY ~all`: your relay names its own."
        return Opinion("note", f"{domain} has no SPF record: mailboxes cannot know our servers.", remedy)
    if len(records) > 1:
        what = f"{domain} has {len(records)} SPF records, which count as none."
        return Opinion("bad", what, "Make one of them: all `include:` before one `~all`.")
    if re.search(r"(?:^|\s)\+?all$", records[0].strip(), re.IGNORECASE):
        return Opinion("bad", f"{domain}'s SPF record lets anybody send.", "Let it end with `~all` or `-all`.")
    if (lookups := _lookups(domain, texts, set())) > MOST_LOOKUPS:
        what = f"{domain}'s SPF record needs {lookups} or more look-ups; with over {MOST_LOOKUPS} it counts as broken."
        return Opinion("bad", what, "Take out each `include:` of what no longer sends.")
    return Opinion("good", f"{domain}'s SPF record can be read: {records[0]}")


def of_dkim(domain: str, selectors: tuple[str, ...], texts: Texts) -> Opinion:
    """With which keys its mails are signed: those that are found under these names."""
    found = {name: text for name in selectors for text in texts(f"{name}._domainkey.{domain}") if "p=" in text}
    if not found:
        return Opinion(
            "note",
            f"No DKIM key of {domain} is found under {', '.join(selectors)}.",
            "Authenticate the domain at your provider, and set EMAIL_DKIM_SELECTOR to the name it gives the key "
            "(`s=` of a mail's DKIM-Signature): without a signature Gmail and others refuse, or file as spam.",
        )
    faults = [fault for name, text in found.items() if (fault := _key_fault(name, text))]
    if len(faults) == len(found):
        return Opinion("bad", f"{domain}: {'; '.join(faults)}", "Have your provider make a key, and publish it.")
    return Opinion("good", f"{domain}'s DKIM keys: {', '.join(sorted(found))}")


def of_dmarc(domain: str, texts: Texts) -> Opinion:
    """What receivers shall do with mail that neither SPF nor DKIM knows, by the domain or by those above it."""
    for above in _upwards(domain):
        records = [text for text in texts(f"_dmarc.{above}") if re.match(r"v=DMARC1\s*(;|$)", text)]
        if len(records) == 1 and (policy := _policy(records[0], inherited=above != domain)):
            return Opinion("good", f"{domain}'s DMARC policy is {policy}, by _dmarc.{above}.")
        if records:
            what = f"_dmarc.{above} cannot be read as one DMARC policy: it counts as none."
            return Opinion("bad", what, "Let it have one record, such as `v=DMARC1; p=none`.")
    what = f"{domain} has no DMARC record: Gmail, Yahoo and Mail.ru want one of whoever sends much."
    return Opinion("note", what, f"Begin with a TXT record of _dmarc.{domain}: `v=DMARC1; p=none; rua=mailto:…`.")


def _spf_records(domain: str, texts: Texts) -> list[str]:
    return [text for text in texts(domain) if re.match(r"v=spf1(\s|$)", text, re.IGNORECASE)]


def _lookups(domain: str, texts: Texts, seen: set[str]) -> int:
    """How often a receiver must ask to read a record; as far as one more than it may."""
    seen.add(domain.lower())
    count = 0
    for record in _spf_records(domain, texts)[:1]:
        for term in record.split()[1:]:
            count += bool(LOOKED_UP.match(term))
            leads = LEADS_ON.fullmatch(term)
            if leads and "%" not in leads[1] and leads[1].lower() not in seen and count <= MOST_LOOKUPS:
                count += _lookups(leads[1], texts, seen)
    return count


def _key_fault(name: str, text: str) -> str:
    """What is wrong with a key; empty where nothing is."""
    tags = _tags(text)
    if not tags.get("p"):
        return f"the DKIM key {name} was withdrawn"
    try:
        key = load_der_public_key(b64decode("".join(tags["p"].split()))) if tags.get("k", "rsa") == "rsa" else None
    except ValueError:
        return f"the DKIM key {name} cannot be read"
    short = isinstance(key, RSAPublicKey) and key.key_size < SHORTEST_KEY_BITS
    return f"the DKIM key {name} is shorter than {SHORTEST_KEY_BITS} bits" if short else ""


def _policy(record: str, *, inherited: bool) -> str | None:
    tags = _tags(record)
    policy = (inherited and tags.get("sp")) or tags.get("p", "")
    return policy.lower() if policy.lower() in {"none", "quarantine", "reject"} else None


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def _upwards(domain: str) -> Iterator[str]:
    """The domain and those above it, without the last part: DMARC asks one after the other."""
    labels = domain.split(".")
    yield from (".".join(labels[at:]) for at in range(max(1, len(labels) - 1)))
