"""A report as a person asks for it: what it says, to whoever gives a reason that is kept."""

from db import queries
from db.database import transaction
from desk.decision import Decision, record
from errors import PermanentError, Refused
from gateways import report_storage
from gateways.report_storage import ReportFile


def opened(report_id: str, decision: Decision) -> ReportFile | None:
    """The report's file, once the log says who opens it and why; None where there is none. Each opening is noted.

    Raises:
        Refused: its file is gone.
        ProviderAway: the storage fails.
    """
    with transaction() as conn:
        if queries.reports.key_of(conn, id=report_id) is None:
            return None
        record(conn, decision, "open report", report_id)
        row = queries.reports.opened(conn, id=report_id)
    try:
        return report_storage.file_of(row)  # not before it is noted
    except PermanentError:
        raise Refused("The file of report %(id)s is gone from the storage.", id=report_id) from None
