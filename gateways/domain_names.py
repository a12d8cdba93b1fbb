"""The Domain Name System, as far as mailbox providers ask it about whoever sends them mail."""

from dns.exception import DNSException
from dns.resolver import NXDOMAIN, Answer, NoAnswer, get_default_resolver

from errors import RetryableError

LONGEST_SECONDS = 2  # of a question: a person waits for the answer


def texts(name: str) -> list[str]:
    """The TXT records of a name, each in one piece; none where there are none.

    Raises:
        RetryableError: nobody answers here.
    """
    answer = _asked(name, "TXT")
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer] if answer else []


def takes_mail(domain: str) -> bool:
    """Whether there is a server to which answers and bounces can go.

    Raises:
        RetryableError: nobody answers here.
    """
    if mail_servers := _asked(domain, "MX"):
        return any(str(record.exchange) != "." for record in mail_servers)  # RFC 7505: a lone dot takes none
    return bool(_asked(domain, "A") or _asked(domain, "AAAA"))


def _asked(name: str, kind: str) -> Answer | None:
    try:
        return get_default_resolver().resolve(name, kind, lifetime=LONGEST_SECONDS, search=False)
    except (NXDOMAIN, NoAnswer):
        return None
    except DNSException as error:
        raise RetryableError(f"no answer from the DNS about {name}: {type(error).__name__}") from error
