"""What the tests of the mail servers share: the catalogue, the table in each README, mail to send, hostile subjects.

Standard library only. The servers themselves are in the tests; the webhook's endpoint is event_receiver.py, the host to
which mail is relayed next_hop.py.
"""

import concurrent.futures
import dataclasses
import json
import pathlib
import re
import smtplib

ROOT = pathlib.Path(__file__).resolve().parents[3]
JSON_TYPES = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "object": dict, "array": list}


class Catalogue:
    """The documented event types and fields, from the list that the library is built with."""

    def __init__(self):
        data = json.loads((ROOT / "src" / "core" / "events.json").read_text(encoding="utf-8"))
        self._fields = {name: field["type"] for name, field in data["fields"].items()}
        self._events = {event["type"]: event for event in data["events"]}

    def fields(self, event_type):
        return self._events[event_type]["fields"]

    def problems(self, event_class, event):
        """What the catalogue says against an event: one line for each fault, none for a valid one."""
        event_type = event.get("type")
        documented = self._events.get(event_type)
        if documented is None:
            return [f"unknown type {event_type!r}"]
        found = []
        if event_class != documented["class"]:
            found.append(f"{event_type} in class {event_class}, not {documented['class']}")
        for name in ("event_id", "timestamp"):
            if not event.get(name):
                found.append(f"{event_type} without {name}")
        if not re.fullmatch(r"[0-9]+", str(event.get("timestamp"))):
            found.append(f"{event_type}: timestamp {event.get('timestamp')!r} is not whole seconds")
        for name, value in event.items():
            if name not in documented["fields"]:
                found.append(f"{event_type} has the undocumented field {name}")
            elif type(value) is bool and self._fields[name] != "boolean" or not isinstance(
                    value, JSON_TYPES[self._fields[name]]):
                found.append(f"{event_type}: {name} is {type(value).__name__}, not {self._fields[name]}")
        return found


class FieldTable:
    """The table `event | field | source` of a README; `-` begins the reason why the server cannot know a field.

    A row may name several events or fields, separated by commas.
    """

    def __init__(self, readme):
        self._sources = {}
        for line in pathlib.Path(readme).read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not line.startswith("|") or len(cells) != 3 or not re.fullmatch(r"[`\w, ]+", cells[0]) or cells[0] == "event":
                continue
            for event_type in re.findall(r"\w+", cells[0]):
                for name in re.findall(r"\w+", cells[1]):
                    if name in self._sources.setdefault(event_type, {}):
                        raise ValueError(f"{readme}: {event_type} {name} stands there twice")
                    self._sources[event_type][name] = cells[2]

    def event_types(self):
        return set(self._sources)

    def problems(self, catalogue, events):
        """Documented fields without a row, rows of no documented field, and what the events say against the table."""
        found = []
        for event_type, sources in self._sources.items():
            documented = set(catalogue.fields(event_type))
            found += [f"{event_type}: {name} has no row" for name in sorted(documented - set(sources))]
            found += [f"{event_type}: {name} is not documented" for name in sorted(set(sources) - documented)]
            found += [f"{event_type}: {name} has neither source nor reason"
                      for name, source in sources.items() if not source.strip("- ")]
            seen = set().union(*(event for event in events if event["type"] == event_type))
            for name, source in sources.items():
                if source.startswith("-") and name in seen:
                    found.append(f"{event_type}: {name} was sent, though the table says why it cannot be")
                elif not source.startswith("-") and name not in seen:
                    found.append(f"{event_type}: {name} was never sent, though the table has its source")
        found += [f"{name}: events came, but the table has none" for name in
                  sorted({event["type"] for event in events} - self.event_types())]
        return found


# Subjects as they go over SMTP, and the text that an event must have: RFC 2047 words decoded, folds undone, what is not
# UTF-8 replaced.
HOSTILE_SUBJECTS = (
    (b'"quoted" and \\back\\slashed\\', '"quoted" and \\back\\slashed\\'),
    (b"{[<brackets>]} </script><b>& 'single'", "{[<brackets>]} </script><b>& 'single'"),
    (b"control \x01\x08\x1b[31m\x7f characters", "control \x01\x08\x1b[31m\x7f characters"),
    (b"tab\tinside", "tab\tinside"),
    ("r\u00e9sum\u00e9 \u2028 \U0001f4e8".encode(), "r\u00e9sum\u00e9 \u2028 \U0001f4e8"),
    (b"broken \xff\xc3 utf-8 \xed\xa0\x80", "broken \ufffd\ufffd utf-8 \ufffd\ufffd\ufffd"),
    (b"=?utf-8?B?w4RwZmVs?= and =?ISO-8859-1?Q?B=FCcher=22?=", "\u00c4pfel and B\u00fccher\""),
    (b"=?utf-8?Q?two_?=\r\n =?utf-8?Q?words?=", "two words"),
    (b"=?no-such-charset?Q?kept?=", "=?no-such-charset?Q?kept?="),
    (b"folded\r\n over\r\n\tthree lines", "folded over\tthree lines"),
    (b"\r\n ".join([b"x" * 70] * 900), " ".join(["x" * 70] * 900)),
)


@dataclasses.dataclass(frozen=True)
class Mail:
    """One message to send. headers: further header lines as bytes, without Subject."""

    recipients: tuple
    subject: bytes = b"hello"
    sender: str = "sender@example.test"
    headers: tuple = ()
    body: bytes = b"text\r\n"

    def data(self):
        lines = [b"From: Sender <%s>" % self.sender.encode(), b"To: %s" % ", ".join(self.recipients).encode(),
                 b"Subject: " + self.subject, *self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


@dataclasses.dataclass
class Outcome:
    """What the server answered: by recipient at RCPT, and at the message's end (None when it did not come to that)."""

    mail: Mail
    recipients: dict
    end: object = None

    def accepted(self):
        """The recipients for which the server took the message."""
        if self.end is None or self.end[0] != 250:
            return []
        return [recipient for recipient, (code, _) in self.recipients.items() if code in (250, 251)]


def send_one(connection, mail):
    """Sends over an open smtplib connection, byte for byte; an answer with a failure is an outcome, not an exception."""
    outcome = Outcome(mail, {})
    code, text = connection.mail(mail.sender)
    if code == 250:
        for recipient in mail.recipients:
            outcome.recipients[recipient] = connection.rcpt(recipient)
        if any(code in (250, 251) for code, _ in outcome.recipients.values()):
            try:
                outcome.end = connection.data(mail.data())
            except smtplib.SMTPDataError as error:
                outcome.end = (error.smtp_code, error.smtp_error)
    else:
        outcome.end = (code, text)
    if outcome.end is None or outcome.end[0] != 250:
        connection.rset()
    return outcome


def send_all(port, mails, connections=4):
    """Sends over several connections at once. Returns `(outcomes, lost)`; lost: mails whose connection broke, which the
    server has not acknowledged."""

    def send_share(share):
        outcomes, lost = [], []
        connection = None
        for mail in share:
            try:
                if connection is None:
                    connection = smtplib.SMTP("127.0.0.1", port, timeout=60)
                    connection.ehlo("client.test")
                outcomes.append(send_one(connection, mail))
            except (OSError, smtplib.SMTPServerDisconnected):
                lost.append(mail)
                connection = None
        if connection is not None:
            try:
                connection.quit()
            except (OSError, smtplib.SMTPServerDisconnected):
                pass
        return outcomes, lost

    shares = [list(mails)[index::connections] for index in range(connections)]
    outcomes, lost = [], []
    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        for done, broken in pool.map(send_share, shares):
            outcomes += done
            lost += broken
    return outcomes, lost


def twice(events):
    """The event ids that stand in more than one event."""
    seen, found = set(), set()
    for event in events:
        (found if event["event_id"] in seen else seen).add(event["event_id"])
    return found
