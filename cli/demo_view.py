"""What the demo shows: who is at which email, as the facts say."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from nats.aio.msg import Msg
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.contact import describe, why
from contracts.codec import Undecodable, decode_fact
from contracts.facts import AnyFact, EmailSent
from contracts.ids import contact_id
from eventlog.connection import Broker
from eventlog.log import EventLog
from journey.campaign import Campaign
from journey.contact import Contact, evolve, fold
from journey.model import SIGNUP
from journey.plan import Pace, Planned, plan_all

MARKS = {"pending": "[dim]·[/]", "sent": "[green]✓[/]", "skipped": "[yellow]–[/]", "failed": "[red]✗[/]"}
LINES = 8


class Board:
    """The contacts of the demo, folded from the facts as they are appended."""

    def __init__(self, campaigns: Mapping[str, Campaign], pace: Pace, people: list[dict[str, Any]]) -> None:
        self._campaigns, self._pace = campaigns, pace
        self.contacts = {contact_id(each["email"]): Contact(contact_id(each["email"])) for each in people}
        self.rows = 0
        self.rows_complete = False
        self._lines: list[str] = []
        self.say: Callable[[str], None] = self._keep

    async def receive(self, msg: Msg) -> None:
        try:
            fact = decode_fact(msg.data)
        except Undecodable:
            return  # not ours
        if fact.contact in self.contacts:
            self.contacts[fact.contact] = evolve(self.contacts[fact.contact], fact)
            self.say(self._line(fact))

    async def catch_up(self, broker: Broker) -> None:
        """What was appended while nobody looked."""
        log = EventLog(broker)
        for contact in self.contacts:
            self.contacts[contact] = fold(contact, await log.history(contact))

    def signed_up(self, email: str, *, duplicate: bool) -> None:
        self.say(f"[bold]{email}[/] signed up" + (" (known already: nothing stored)" if duplicate else ""))

    @property
    def all_ended(self) -> bool:
        plans = [self.plan(contact) for contact in self.contacts.values()]
        return all(plan and not any(each.is_pending for each in plan) for plan in plans)

    @property
    def sent(self) -> int:
        return sum(each.state == "sent" for contact in self.contacts.values() for each in self.plan(contact))

    @property
    def nurtured(self) -> int:
        emails = [each for contact in self.contacts.values() for each in self.nurture(contact)]
        return sum(each.state == "sent" for each in emails)

    def plan(self, contact: Contact) -> list[Planned]:
        return list(plan_all(contact, self._campaigns, self._pace).values())

    def nurture(self, contact: Contact) -> list[Planned]:
        return [each for each in self.plan(contact) if each.sequence.trigger == SIGNUP]

    def segment(self, contact: Contact) -> str:
        for campaign, signup in contact.signups.items():
            return self._campaigns[campaign].segment_of(signup.values())
        return ""

    def count_rows(self, notion: Any) -> None:
        """From the sandbox's tables: a row of each kind per person, and the sequence rows complete."""
        addresses = {contact.address for contact in self.contacts.values()}
        rows = [row for table in notion.values() for row in table if row.get("Email") in addresses]
        sequence = [row for row in rows if "Sequence Completed" in row]
        self.rows = len(rows)
        self.rows_complete = len(rows) == 2 * len(addresses) and all(row["Sequence Completed"] for row in sequence)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table("who", "segment", *(f"{n}" for n in range(1, 8)), "call", box=None, pad_edge=False)
        for contact in self.contacts.values():
            marks = [MARKS.get(each.state, "?") for each in self.nurture(contact)]
            calls = [MARKS.get(each.state, "?") for each in self.plan(contact) if each.sequence.trigger != SIGNUP]
            padded = marks + [""] * (7 - len(marks))
            table.add_row(contact.address or "", self.segment(contact), *padded, "".join(calls))
        yield table
        yield ""
        for line in self._lines:
            yield Text.from_markup(line)

    def _keep(self, line: str) -> None:
        self._lines = [*self._lines, line][-LINES:]

    def _line(self, fact: AnyFact) -> str:
        who = self.contacts[fact.contact].address
        return f"[dim]{fact.at:%H:%M:%S}[/] {fact.tag}  {who}  {escape(describe(fact))}"


def sent_table(board: Board) -> Table:
    """What was sent to whom, when, and how long after it was due."""
    table = Table("to", "segment", "email", "subject", "sent (UTC)", "after due", title="What was sent")
    for contact in board.contacts.values():
        who, segment = contact.address or "", board.segment(contact)
        for each in board.plan(contact):
            end = each.email.end
            if isinstance(end, EmailSent):
                late = f"{(end.at - each.planned_for).total_seconds():.1f} s"
                table.add_row(who, segment, each.step.id, end.subject, f"{end.at:%H:%M:%S}", late)
                who = segment = ""
        table.add_section()
    return table


def not_sent(board: Board) -> str:
    """What was planned and left out, by reason."""
    plans = [each for contact in board.contacts.values() for each in board.plan(contact)]
    reasons = Counter(each.reason or each.state for each in plans if each.state != "sent")
    return "\n".join(f"not sent: {count} because {why(reason)}" for reason, count in sorted(reasons.items()))
