"""What botocore, aiohttp and s3fs raise -> the errors of this floor."""

from collections.abc import Mapping
from typing import Any

from connectors.errors import (
    AccessDenied,
    ConnectorError,
    SourceMisconfigured,
    SourceUnavailable,
    UnreadableDocument,
)
from connectors.places import GONE
from connectors.retrying import Passing

_KEY_REFUSED = frozenset(
    "InvalidAccessKeyId SignatureDoesNotMatch ExpiredToken InvalidToken TokenRefreshRequired InvalidSecurity"
    " AuthFailure InvalidClientTokenId RequestTimeTooSkewed RequestExpired".split()
)
_ELSEWHERE = frozenset(
    "PermanentRedirect Redirect TemporaryRedirect AuthorizationHeaderMalformed"
    " IllegalLocationConstraintException".split()
)
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_PASSING_CODES = frozenset("SlowDown Throttling RequestTimeout InternalError ServiceUnavailable".split())


class Unreached(Passing):
    """No connection to the endpoint at all."""


def mapped(error: BaseException, bucket: str, item: str | None) -> ConnectorError | Passing:
    """Return our error for one of theirs; ``item`` is what was read, None while listing."""
    ours = _within(error)
    if ours is not None:
        return ours
    answer = _answer(error)
    if answer is not None:
        return _answered(answer, bucket, item)
    return _unanswered(error, bucket)


def _within(error: BaseException) -> ConnectorError | None:
    """Return the error of ours that theirs was made of: an address that is not to be reached."""
    inner = getattr(error, "kwargs", {}).get("error")
    for one in (inner, error.__cause__, error.__context__):
        if isinstance(one, ConnectorError):
            return one
        found = _within(one) if isinstance(one, Exception) else None
        if found is not None:
            return found
    return None


def _answer(error: BaseException) -> Mapping[str, Any] | None:
    """Return the server's answer; s3fs turns errors into ones of the operating system, made of botocore's."""
    for one in (error, error.__cause__):
        answer = getattr(one, "response", None)
        if isinstance(answer, Mapping) and "Error" in answer:
            return answer
    return None


def _answered(  # noqa: PLR0911 - one for each kind of answer
    answer: Mapping[str, Any], bucket: str, item: str | None
) -> ConnectorError | Passing:
    code = str(answer["Error"].get("Code", ""))
    about = answer.get("ResponseMetadata", {})
    status = int(about.get("HTTPStatusCode") or (code if code.isdecimal() else 0))
    if status in _PASSING or code in _PASSING_CODES:
        asked = str(about.get("HTTPHeaders", {}).get("retry-after", ""))
        return Passing(
            f"{bucket} answered {status} {code}", after=float(asked) if asked.isdecimal() else None
        )
    if code in ("NoSuchBucket", "InvalidBucketName"):
        return SourceMisconfigured(f"there is no bucket {bucket}", hint="check `path` and `storage.endpoint`")
    if code in _ELSEWHERE or status in (301, 302, 307, 308):
        return SourceMisconfigured(f"{bucket} lies in another region", hint="set `storage.region`")
    if code in _KEY_REFUSED:
        return AccessDenied(
            f"{bucket} refuses the credentials ({code})",
            hint="check the variables that `storage` names, and this machine's clock",
        )
    if item is not None and code == "InvalidObjectState":
        return UnreadableDocument(
            f"{item} is archived", reason="denied", hint="restore the object, or leave it out with `exclude`"
        )
    if item is not None and status == 404:
        return UnreadableDocument(f"{item} is gone", reason="vanished", hint=GONE)
    if item is not None and status == 403:
        hint = "give the key the right s3:GetObject, or leave the object out with `exclude`"
        return UnreadableDocument(f"no right to read {item}", reason="denied", hint=hint)
    if status in (401, 403):
        return AccessDenied(f"no right to list {bucket} ({code})", hint="the key needs s3:ListBucket")
    if status == 404:
        return SourceMisconfigured(f"there is no bucket {bucket}", hint="check `path` and `storage.endpoint`")
    return SourceUnavailable(f"{bucket} answered {status} {code}", hint="check `storage.endpoint`")


def _unanswered(error: BaseException, bucket: str) -> ConnectorError | Passing:
    from botocore.exceptions import (
        ConnectTimeoutError,
        EndpointConnectionError,
        ParamValidationError,
        SSLError,
    )

    if isinstance(error, SSLError):
        return SourceUnavailable(
            f"{bucket}: its certificate or TLS is not accepted",
            hint="check `storage.endpoint`, and that this machine trusts who signed the certificate",
        )
    if isinstance(error, ParamValidationError | ValueError):
        return SourceMisconfigured(f"{bucket} cannot be asked: {error}", hint="check `path` and `storage`")
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        return Unreached(f"{bucket} cannot be reached")
    return Passing(f"{bucket} gave no whole answer ({type(error).__name__})")
