"""The tables of runs in progress, approvals and effects. JSON stands in text columns, canonical.

Times are ISO 8601, UTC, as ``records.timestamp`` writes them: they sort as text.
"""

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

# One row a workflow run, from its start. ``owner``: the executor that works on it (see leases), null when
# nobody does. ``record``: the whole ``ragflow.run/1`` once it has ended, for readers on other machines.
flows = Table(
    "ragflow_flows",
    metadata,
    Column("run", String, primary_key=True),
    Column("workflow", String, nullable=False),
    Column("created", String, nullable=False),
    Column("actor", Text, nullable=False),  # JSON list: the acting user first, then the readers
    Column("status", String, nullable=False),  # running waiting done failed cancelled
    Column("outcome", String),
    Column("exit_code", Integer, nullable=False, default=0),
    Column("owner", String),
    Column("fence", Integer, nullable=False, default=0),  # raised by every change of owner
    Column("cancelled", Boolean, nullable=False, default=False),  # asked for while it ran elsewhere
    Column("waiting_for", String),  # the approval
    Column("wake", String),  # when it is to be looked at again though nobody decided: the expiry
    Column("source_digest", String, nullable=False),
    Column("config_digest", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("generation", String),
    Column("version", String, nullable=False),
    Column("input", Text, nullable=False),
    Column("error", Text),  # JSON: type, message, hint
    Column("retry_of", String),
    Column("record", Text),
    Column("erased", Text),  # JSON list: documents that were forgotten while it was live
    Index("ragflow_flows_open", "status", "owner"),
)

# One row a request to a person. ``call``: which call of the run, as a step's number. ``kind``: action, gate
# (a workflow asks for agreement and nothing is done by it) or unsettled (it may have happened).
requests = Table(
    "ragflow_requests",
    metadata,
    Column("approval", String, primary_key=True),
    Column("run", String, nullable=False),
    Column("call", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("status", String, nullable=False),  # pending approved rejected revised expired executed unsettled
    Column("tool", String, nullable=False),
    Column("effect", String, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("digest", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("approvers", Text, nullable=False),  # JSON list of principals
    Column("four_eyes", Boolean, nullable=False),
    Column("created", String, nullable=False),
    Column("expires", String, nullable=False),
    Column("decided_by", String),
    Column("decided", String),
    Column("comment", Text),
    Column("revised", Text),  # JSON: the arguments that the decision put in place
    Column("screen", Text, nullable=False),  # JSON: the answer, its citations, what the validator found
    Index("ragflow_requests_run", "run"),
    Index("ragflow_requests_status", "status"),
)

# One row an effect: claimed before it is tried, settled after. ``state``: claimed settled failed unsettled.
effects = Table(
    "ragflow_effects",
    metadata,
    Column("key", String, primary_key=True),  # the idempotency key
    Column("run", String, nullable=False),
    Column("call", String, nullable=False),
    Column("tool", String, nullable=False),
    Column("digest", String, nullable=False),  # of tool and arguments
    Column("state", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("claimed", String, nullable=False),
    Column("settled", String),
    Column("result", Text),
    Index("ragflow_effects_run", "run"),
)

# One row a call that was let through: what rates and budgets count.
calls = Table(
    "ragflow_calls",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("tool", String, nullable=False),
    Column("run", String, nullable=False),
    Column("call", String, nullable=False),
    Column("at", Float, nullable=False),  # seconds since 1970
    Column("amount", Float, nullable=False, default=0.0),
    Index("ragflow_calls_tool", "tool", "at"),
    Index("ragflow_calls_call", "run", "call", unique=True),
)
