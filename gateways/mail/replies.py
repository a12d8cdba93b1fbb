"""What an SMTP server's refusal speaks of: this mail, or us, who may send nothing until somebody mends it.

By the enhanced status code (RFC 3463 and IANA's list), where there is none or it says little by the words, and by the
place in the dialogue: before the recipient is named nothing can be wrong with a mail.
"""

import re

from errors import BalansityError, PermanentError, ProviderAway, RetryableError

ENHANCED = re.compile(r"\s*([45])\.(\d{1,3})\.(\d{1,3})\b")
NOT_LOGGED_IN = {421, 454, 521, 530, 534, 535, 538}  # and codes of a server that closes, or is none for mail
ABOUT_US = {
    (1, 7), (1, 8),  # the sender's address
    (3, 1), (3, 2), (3, 5),  # the server is full, takes nothing, or is set up wrongly
    (4, 5),  # congestion; some say so of a day's limit
    (5, 1), (5, 3),  # a command that needs something first, a login most often; more in one session than is allowed
}  # fmt: skip
ABOUT_THE_MAIL = {16, 17, 18, 19, 124, 133, 134, 136}  # of 5.7.*, whose other details from 3 on speak of the sender
GENERIC = {(0, 0), (3, 0), (5, 0), (5, 2), (5, 4), (7, 0), (7, 1), (7, 2)}  # where the words tell
OURS = re.compile(
    r"""
    \brelay | authenticat | not\ logged | log(ged)?\ ?in\b | credential | helo\b | ehlo\b | starttls
    | block\ ?list | black\ ?list | deny\ ?list | spamhaus | spamcop | barracuda | sorbs | dnsbl | \brbl\b | banned
    | blocked\ using | client\ (host|address) | sender\ (address\ )?(is\ )?(rejected|not|verif)
    | \byour\ (ip|host|network|server|domain|account|mail\ server|address) | reverse\ (dns|host) | \bptr\b
    | \b(spf|dkim|dmarc)\b | reputation | unverified
    | (daily|hourly|sending|send|rate|message|user)\ (sending\ |message\ |user\ )?(limit|quota)
    | too\ many\ (messages|mails|e-?mails|connections|sessions)
    | (ip|host|address)\b.{0,40}\bblocked | blocked.{0,40}\b(ip|host)\b | suspended
    """,
    re.IGNORECASE | re.VERBOSE,
)
THEIRS = re.compile(r"gr[ae]y ?list|mailbox|recipient|user unknown|no such user", re.IGNORECASE)


def refusal(code: int, words: str, shown: str) -> BalansityError:
    """The error that a refused recipient or mail is; `words` without the code, `shown` for people."""
    if speaks_of_us(code, words):
        return ProviderAway(f"{shown}. It speaks of us, not of the mail: every mail waits until it is put right.")
    return (RetryableError if code < 500 else PermanentError)(shown)


def speaks_of_us(code: int, words: str) -> bool:
    """Whether no other mail would fare better; for a recipient or a mail that was refused."""
    if code in NOT_LOGGED_IN:
        return True
    if found := ENHANCED.match(words):
        subject, detail = int(found[2]), int(found[3])
        if (subject, detail) in ABOUT_US or (subject == 7 and detail >= 3 and detail not in ABOUT_THE_MAIL):
            return True
        if (subject, detail) not in GENERIC:
            return False
    return bool(OURS.search(words)) and not (THEIRS.search(words) and code < 500)
