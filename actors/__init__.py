"""The registry of actors: `dramatiq actors` imports this module and runs what it finds."""

import broker  # noqa: F401 - first, so that actors are declared on it and not on Dramatiq's default
import log
from actors import analytics, appointments, emails, payments, reports

log.quieten()  # the dramatiq command sets logging up itself

__all__ = ["analytics", "appointments", "emails", "payments", "reports"]
