"""What a request is bound to, as digests: change one letter of it, and an approval does not hold."""

from ragflow.approvals.rows import Asked
from ragflow.records import sha256
from ragflow.workflows.contracts import Object, Request


def bound(asked: Asked, arguments: Object) -> str:
    """Return the digest (64 hex) of a request with these arguments: what a person approves.

    SHA-256 of the canonical JSON of run, tool, effect, policy, actor, expires and the arguments.
    """
    return sha256(
        {
            "run": asked.run,
            "tool": asked.tool,
            "effect": asked.effect,
            "arguments": dict(arguments),
            "policy": asked.policy,
            "actor": asked.actor,
            "expires": asked.expires,
        }
    )


def identity(request: Request) -> str:
    """Return the digest of what makes a request the same one when it is opened again; of no time."""
    action = request.action
    content = {"tool": action.tool, "arguments": dict(action.arguments), "policy": action.policy}
    return sha256([request.caller.run, action.call, request.kind, sha256(content)])
