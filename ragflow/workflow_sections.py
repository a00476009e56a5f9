"""The sections of ``ragflow.yaml`` about runs that last: their database, their limits, who watches them."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from ragflow.section import Section, Text

_DATABASES = ("postgresql://", "postgresql+psycopg://")


class Database(Section):
    """Where runs in progress, approvals and DBOS's tables are. Null: files of the workspace.

    A PostgreSQL URL lets several machines share the queue; ``password_env`` names the variable that holds
    its password. Documents stay in ``.ragflow/store.sqlite`` in any case.
    """

    url: Text | None = None
    password_env: Text | None = None

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(_DATABASES):
            raise ValueError("write postgresql://USER@HOST/DATABASE, or null for files of the workspace")
        if value is not None and urlsplit(value).password is not None:
            raise ValueError("the password belongs in a variable that password_env names, not in the file")
        return value


class Telemetry(Section):
    """Where traces of finished runs go: an OTLP/HTTP endpoint, as ``http://127.0.0.1:4318``. Null: nowhere.

    ``headers_env`` names the variable that holds ``key=value`` pairs, by commas.
    """

    endpoint: Text | None = None
    headers_env: Text | None = None
    timeout: Annotated[float, Field(gt=0, le=60)] = 5
