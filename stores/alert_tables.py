"""The tables of the alert store. Times are epoch milliseconds; those of an alert itself are event time, all others the
clock's.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

METADATA: Final = MetaData()
_ROW: Final = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in an INTEGER key
_ID: Final = String(32)
_NAME: Final = String(256)

# One row an incident, as the topic tells of it and as far as people were told.
INCIDENTS: Final = Table(
    "incidents",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("fingerprint", _ID, nullable=False),
    Column("rule", _NAME, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("alert", Text, nullable=False),  # the newest message, JSON
    Column("opened_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),  # it began, got worse or was over
    Column("resolved_at", BigInteger),
    Column("episode", _ID),  # the incident that stands for all of a flapping one; itself for that
    Column("told_at", BigInteger),
    Column("step", Integer, nullable=False, default=0),  # of the escalation, the next one
    Column("step_at", BigInteger),  # when the last one was taken
    Column("acknowledgement_told", Boolean, nullable=False, default=False),
    Column("done", Boolean, nullable=False, default=False),  # nothing is to be told any more
    Index("incidents_live", "done"),
    Index("incidents_of_fingerprint", "fingerprint", "starts_at"),
    Index("incidents_by_opening", "opened_at"),
)

# Other ids under which the topic names an incident: it began again, by its messages, before it was over.
ALIASES: Final = Table(
    "aliases",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("incident", _ID, nullable=False, index=True),
    Column("alert", Text, nullable=False),  # the message by which it began again, JSON
)

# What happened to an incident, for people.
CHANGES: Final = Table(
    "changes",
    METADATA,
    Column("number", _ROW, primary_key=True, autoincrement=True),
    Column("incident", _ID, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("what", String(32), nullable=False),
    Column("detail", Text, nullable=False, default=""),
)

# How far the receivers of a route were told of an incident.
ROUTED: Final = Table(
    "routed",
    METADATA,
    Column("incident", _ID, primary_key=True),
    Column("route", _NAME, primary_key=True),
    Column("group_key", Text, nullable=False),
    Column("told_at", BigInteger),
    Column("told_severity", String(16)),
    Column("reminded_at", BigInteger),
    Column("reminders", Integer, nullable=False, default=0),
    Column("ended_at", BigInteger),
)

ACKNOWLEDGEMENTS: Final = Table(
    "acknowledgements",
    METADATA,
    Column("incident", _ID, primary_key=True),
    Column("by", _NAME, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("comment", Text, nullable=False, default=""),
)

SILENCES: Final = Table(
    "silences",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("matchers", Text, nullable=False),  # JSON
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False, index=True),
    Column("created_by", _NAME, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# One row a state change and receiver: written with the change, sent afterwards.
OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("number", _ROW, primary_key=True, autoincrement=True),
    Column("key", String(128), nullable=False),  # of the change; a receiver gets each once
    Column("receiver", _NAME, nullable=False),
    Column("incident", _ID, index=True),
    Column("event", String(16), nullable=False),
    Column("batch", _ID, nullable=False),  # rows that went out of one group together
    Column("payload", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Column("error", Text, nullable=False, default=""),
    UniqueConstraint("key", "receiver"),
    Index("outbox_pending", "state", "next_at"),
)

# Who may write and send.
LEASE: Final = Table(
    "lease",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("holder", _NAME, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

# How far the topic was read, written in the transaction of what came of it.
OFFSETS: Final = Table(
    "offsets",
    METADATA,
    Column("topic_id", String(64), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
)

# Who is on call, from when to when; the service keeps it some days ahead.
SHIFTS: Final = Table(
    "shifts",
    METADATA,
    Column("schedule", _NAME, primary_key=True),
    Column("starts_at", BigInteger, primary_key=True, autoincrement=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("person", _NAME, nullable=False),
)

# Goes up with each change that another process made, so that the service looks at once.
REVISION: Final = Table(
    "revision", METADATA, Column("name", String(32), primary_key=True), Column("number", BigInteger, nullable=False)
)
