"""Everything at once: the clinic's work under faults of every kind, audited; `make faults` is the long form."""

from pathlib import Path

import pytest

from tests.faults.proof import plan, run

PATIENCE_SECONDS = 150  # on a machine of any speed, for what takes 20


@pytest.mark.parametrize(
    "provider", [pytest.param(each, marks=[pytest.mark.heavy] * (each != "sendgrid")) for each in plan.MAIL_PROVIDERS]
)
def test_nothing_is_lost_doubled_or_stuck_under_combined_faults(provider: str, tmp_path: Path) -> None:
    outcome = run.carry_out(plan.plan(8, plan.SHORT, provider), tmp_path, patience_seconds=PATIENCE_SECONDS)
    assert outcome.breaches == []
