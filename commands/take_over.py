"""`balansity take-over`: the old system's end and our beginning in one moment, and the way back."""

from typing import Any

import click

from broker import broker
from commands.output import json_option, say, show_json, show_table
from db import queries
from db.database import connect, start_options, url
from db.takeover import hand_back
from db.takeover import take_over as put_in_charge
from errors import BalansityError

LOCKS_NONE = "It is one transaction. It locks no table of the site's: functions are replaced, triggers stay."
LOCKS = (
    "It is one transaction. Where a trigger of ours stands beside an old one, it lets whoever writes to that table end "
    "first; who comes meanwhile waits until it is done. Readers never wait."
)
WAITS = "It waits for no lock longer than half a second, and then begins anew."
STAYS = (
    "The widened CHECK of appointments.status stays, and visitors stay out. Messages that were never begun go back to "
    "pgmq, consultations to come that are confirmed become scheduled. Mails that were sent, or may have been, never "
    "return: the old jobs know nothing of them."
)
LOCK_TABLE = "LOCK TABLE "  # how balansity.lock_sources begins

HIDDEN = {
    "all": "This role may not read cron.job and cron.job_run_details: look for old jobs as the role that may.",
    "others": "pg_cron shows this role its own jobs only: look for old jobs of other roles as a superuser.",
}


@click.command()
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be done to this database; change nothing.")
@click.option("--undo", is_flag=True, help="Put the old system in charge again.")
@json_option
def take_over(*, only_plan: bool, undo: bool, as_json: bool) -> None:
    """Put ours in charge of a database where an old system lives, in one moment.

    `balansity migrate` has prepared everything before, and disturbs nobody. Stop the old workers and Edge Functions
    first: they would go on reading the queues. Whatever is in the way is named before anything changes. It can be
    stopped at any point, and repeated.
    """
    if only_plan:
        plan = _plan(undo=undo)
        show_json(plan) if as_json else _show(plan)
    elif undo:
        given = hand_back(url(), broker.vault.lay_out, start_options=start_options())
        say(f"The old system is in charge. Given back: {given.messages} messages, {given.appointments} consultations.")
    else:
        steps = put_in_charge(url(), start_options=start_options())
        say(f"Ours is in charge ({steps} steps)." if steps else "Ours has been in charge.")


def _plan(*, undo: bool) -> dict[str, Any]:
    conn = connect()
    conn.set_session(readonly=True)
    try:
        in_charge = queries.takeover.in_charge(conn)
        if undo and not in_charge:
            raise BalansityError("The old system is in charge: there is nothing to undo.")
        ask = queries.takeover.hand_back_steps if undo else queries.takeover.take_over_steps
        steps = [row._asdict() for row in ask(conn)]
        hidden = HIDDEN.get(queries.takeover.cron_is_hidden(conn))
        told = [] if undo else [row._asdict() for row in queries.takeover.count_told(conn)]
    finally:
        conn.close()
    locks = LOCKS if any(LOCK_TABLE in step["statement"] for step in steps) else LOCKS_NONE
    notes = [note for note in (locks, WAITS, undo and STAYS, hidden) if note]
    return {"in_charge": in_charge, "steps": steps, "told": told, "notes": notes}


def _show(plan: dict[str, Any]) -> None:
    for number, step in enumerate(plan["steps"], 1):
        say(f"{number}. {' '.join(filter(None, (step.get('name'), step['what'])))}")
        say("   " + step["statement"].strip().replace("\n", "\n   "))
        if step.get("obstacle"):
            say(f"   IN THE WAY: {step['obstacle']}")
    if not plan["steps"]:
        say("Nothing is left to do.")
    if plan["told"]:
        show_table("Who counts as reminded, by the old system's messages", plan["told"])
    say("\n".join(plan["notes"]))
