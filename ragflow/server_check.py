"""``ragflow doctor``: does the Qdrant server of ``index.url`` answer, and does it hold what is live here?"""

import re
from typing import Literal

from indexes.errors import NotPushed, StorageError
from indexes.generations import Generations
from indexes.qdrant.collection import Collections
from indexes.qdrant.publisher import workspace_id
from indexes.qdrant.server import Remote
from indexes.store import Store
from ragflow import parts
from ragflow.config import Config

_LOOPBACK = re.compile(r"http://(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:|/|$)")


def check(config: Config) -> tuple[Literal["ok", "warn", "fail"], str, str]:
    """Ask the server for its version, its alias, and how much of the live generation it holds.

    Gives how that is, what is to be said of it, and what mends it ("" where nothing is to be done).
    """
    url, key = config.index.url or "", config.secret(config.index.qdrant.api_key_env)
    try:
        remote = parts.remote(config)
        version = remote.check_version()
        held = _held(config, remote)
    except StorageError as error:
        return "fail", str(error), error.hint
    if key and url.startswith("http:") and not _LOOPBACK.match(url):
        message = f"Qdrant {version} at {url}: the key travels unencrypted"
        return "warn", message, "let the server speak https, and set index.url to it"
    return "ok", f"Qdrant {version} at {url}; {held}", ""


def _held(config: Config, remote: Remote) -> str:
    """Say what the server holds of the live generation. Raises ``NotPushed`` where that is not all of it."""
    generations = Generations(config.workspace)
    live = generations.live()
    if live is None:
        return "nothing is indexed yet"
    manifest = generations.manifest(live)
    with Store.open(config.workspace / "store.sqlite") as store:
        workspace = workspace_id(store)
    if not manifest.chunks:
        return "the live generation has no chunk"
    collections = None if workspace is None else Collections(remote, workspace)
    if collections is None or not collections.complete(manifest):
        raise NotPushed(
            f"the server does not hold the live generation {live}, or not all of it",
            hint="ragflow generations push",
        )
    if (named := collections.live()) != live:
        raise NotPushed(
            f"the alias {config.index.qdrant.alias} names {named or 'nothing'}, and {live} is live here",
            hint="ragflow generations push",
        )
    count = collections.count(live)
    if count != manifest.chunks:
        raise NotPushed(
            f"the server holds {count:,} of the {manifest.chunks:,} chunks of {live}",
            hint="ragflow index --full builds and pushes a new generation",
        )
    return f"all {count:,} chunks of {live}"
