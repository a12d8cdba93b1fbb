"""A refusal that speaks of us ends no mail; one that speaks of the mail or its recipient holds up no others."""

import pytest

from errors import PermanentError, ProviderAway, RetryableError
from gateways.mail.replies import refusal

OURS = [
    "550 5.4.5 Daily user sending limit exceeded",
    "550 5.4.5 daily sending limit exceeded",
    "452 4.5.3 Too many messages in this session",
    "550 Daily message quota exceeded",
    "550 You have exceeded your hourly sending limit",
    "530 5.7.0 Authentication Required",
    "530 5.5.1 Authentication Required. Learn more",
    "535 5.7.8 Username and Password not accepted",
    "454 4.7.0 Temporary authentication failure",
    "550 5.7.1 Unable to relay for anna@example.com",
    "554 5.7.1 <anna@example.com>: Relay access denied",
    "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
    "550 relaying denied",
    "553 sorry, that domain isn't in my list of allowed rcpthosts (authentication required)",
    "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
    "550 5.7.1 Our system has detected that your IP is on a block list",
    "550 5.7.606 Access denied, banned sending IP [192.0.2.1]",
    "554 Your IP address 192.0.2.1 has been blocked",
    "550 5.7.25 The IP address sending this message does not have a PTR record setup",
    "550 5.7.26 Unauthenticated email is not accepted due to DMARC policy",
    "550 5.7.1 SPF check failed",
    "504 5.5.2 <balansity>: Helo command rejected: need fully-qualified hostname",
    "550 5.7.1 <balansity>: Helo command rejected: Host not found",
    "553 5.7.1 <no-reply@balansity.example>: Sender address rejected: not logged in",
    "550 5.1.8 Sender address rejected: Domain not found",
    "550 5.7.13 Account disabled",
    "550 5.7.1 Your account has been suspended",
    "421 4.7.0 Try again later, closing connection",
    "451 4.3.2 System not accepting network messages",
    "421 Service not available",
]
MAILS = [
    "550 5.1.1 No such user",
    "550 No such user here",
    "550 5.2.1 The email account that you tried to reach is disabled",
    "552 5.2.2 Mailbox full: quota exceeded",
    "552 5.3.4 Message size exceeds fixed limit",
    "550 5.5.0 Requested action not taken: mailbox unavailable",
    "554 5.6.0 Message cannot be parsed",
    "554 5.7.1 Message rejected as spam by content filtering",
    "550 5.7.1 Recipient does not take mail from the outside",
    "550 5.4.1 Recipient address rejected: Access denied",
    "550 5.7.133 Sender not in the group's list of allowed senders",
    "504 5.5.2 <anna>: Recipient address rejected: need fully-qualified address",
    "554 Spam",
]
LATER = [
    "450 4.2.1 Mailbox busy",
    "450 Mailbox busy",
    "451 4.7.1 Greylisting in action, please come back later",
    "450 4.7.1 Client host rejected: greylisted",
    "452 4.2.2 Mailbox full",
    "451 Try later",
]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        *((reply, ProviderAway) for reply in OURS),
        *((reply, PermanentError) for reply in MAILS),
        *((reply, RetryableError) for reply in LATER),
    ],
)
def test_a_refusal_is_understood(reply: str, kind: type[Exception]) -> None:
    assert type(refusal(int(reply[:3]), reply[4:], reply)) is kind
