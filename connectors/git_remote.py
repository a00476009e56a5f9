"""Repositories on other machines: which addresses are accepted, and the mirror that is fetched from them.

A mirror is a bare repository that holds one ref, in a folder that may be deleted at any time. Addresses
are checked by the rules of ``outbound``, and git connects to what was checked. The token goes through the
environment of git alone: it stands in no argument, address, file or message.
"""

import base64
import re
import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from connectors.errors import AccessDenied, ConnectorError, SourceMisconfigured, SourceUnavailable
from connectors.git_process import GitFailed, Repository
from connectors.retrying import Passing, Patience, retried

if TYPE_CHECKING:
    from connectors.outbound import Outbound

TIP = "refs/ragflow/tip"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_SSH = re.compile(rf"ssh://(?:(?P<user>[A-Za-z0-9_][\w.+-]*)@)?(?P<host>{_HOST})(?::(?P<port>\d{{1,5}}))?/.+")
_SHORT_SSH = re.compile(rf"(?P<user>[A-Za-z0-9_][\w.+-]*)@(?P<host>{_HOST}):(?P<path>[^/\s].*|/.+)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://|:)")
_ALLOWED = "a local path, https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or file:///PATH"
_REFUSED = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|returned error: 40[13]|Permission denied"
    r"|access denied|dubious ownership",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"not found|does not (?:appear to be a git repository|exist)|returned error: 404", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a repository is fetched from. ``token``: USER:TOKEN, a token alone, or a whole ``Basic ...``.

    ``authority``: a file of certificates to trust in place of the system's.
    """

    url: str
    outbound: "Outbound" = field(repr=False)
    token: str | None = field(default=None, repr=False)
    authority: Path | None = None
    patience: Patience = field(default_factory=Patience)
    timeout: float = 1_800.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)


def is_remote(path: str) -> bool:
    """Say whether this is an address and no local path. Raises ``SourceMisconfigured`` for other ones.

    Refused are ``ext::`` and all other transports, passwords in an address, and what could be an option.
    """
    if path.startswith("-") or any(not char.isprintable() for char in path):
        raise SourceMisconfigured(f"no address of a repository: {path!r}", hint=f"give {_ALLOWED}")
    if _SHORT_SSH.fullmatch(path) and "::" not in path:
        return True
    if not _URL.match(path):
        return False
    parts = urlsplit(path)
    plain = not (parts.query or parts.fragment) and ".." not in parts.path.split("/")
    if parts.scheme == "https" and re.fullmatch(rf"{_HOST}(?::\d{{1,5}})?", parts.netloc) and plain:
        return True
    if parts.scheme == "https" and "@" in parts.netloc:
        raise SourceMisconfigured(
            f"the address of {parts.hostname} holds a name or password",
            hint="take it out, and name an environment variable that holds the token in `token_env`",
        )
    if (parts.scheme == "ssh" and _SSH.fullmatch(path)) or (parts.scheme == "file" and path[7:8] == "/"):
        return True
    raise SourceMisconfigured(
        f"{parts.scheme or path[:20]}: is not among what is fetched from", hint=f"give {_ALLOWED}"
    )


class Mirror:
    """The copy of a remote's ref, in ``folder``."""

    def __init__(self, remote: Remote, ref: str, folder: Path) -> None:
        self._remote = remote
        self._ref = ref
        self._folder = folder
        self.repository = Repository(folder)

    def fetch(self) -> None:
        """Bring the mirror up to the remote's ref; whatever was fetched before is not fetched again.

        Raises:
            SourceUnavailable: no answer after all tries.
            SourceMisconfigured: no such repository, no such ref.
            AccessDenied: the credentials are refused.
            AddressRefused: the host is not to be reached.
        """
        try:
            retried(self._fetch, self._remote.patience, sleep=self._remote.sleep)
        except Passing as error:
            raise SourceUnavailable(str(error), hint="try again later") from error

    def _fetch(self) -> None:
        environment, settings = self._ways()
        if not (self._folder / "HEAD").exists():
            self._begin()
        for lock in self._folder.glob("refs/ragflow/*.lock"):
            # Of a run that was killed: only one index runs at a time.
            lock.unlink(missing_ok=True)
        source = Repository(self._folder, self._remote.timeout, environment, settings)
        options = "--quiet --force --no-tags --no-recurse-submodules --no-write-fetch-head".split()
        try:
            source.output("fetch", *options, "--end-of-options", self._remote.url, f"+{self._ref}:{TIP}")
        except GitFailed as error:
            if not self._sound():
                # Damaged, as by a machine that stopped while it was written: the next try begins anew.
                shutil.rmtree(self._folder, ignore_errors=True)
            raise self._mapped(error) from error

    def _begin(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)
        self.repository.output("init", "--quiet", "--bare", "--template=", "--initial-branch=none", ".")

    def _sound(self) -> bool:
        if not (self._folder / TIP).exists() and not (self._folder / "packed-refs").exists():
            return True
        try:
            self.repository.output("rev-list", "--max-count=1", "--objects", TIP, "--", most=10**9)
        except (GitFailed, SourceUnavailable):
            return False
        return True

    def _ways(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the environment and the settings that open exactly one way: to the checked address."""
        url = self._remote.url
        if url.startswith("file://"):
            return {"GIT_ALLOW_PROTOCOL": "file"}, {}
        if not url.startswith("https://"):
            return self._ssh()
        parts = urlsplit(url)
        host, port = str(parts.hostname), parts.port or 443
        addresses = self._remote.outbound.check(f"https://{parts.netloc}/")
        shown = ",".join(f"[{one}]" if ":" in one else one for one in addresses)
        environment = {"GIT_ALLOW_PROTOCOL": "https"}
        if self._remote.token:
            environment |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.https://{parts.netloc}/.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: {_authorization(self._remote.token)}",
            }
        settings = {
            "http.followRedirects": "false",
            "http.proxy": "",
            "http.lowSpeedLimit": "1",
            "http.lowSpeedTime": "60",
            **({} if ":" in host else {"http.curloptResolve": f"{host}:{port}:{shown}"}),
        }
        if self._remote.authority is not None:
            settings["http.sslCAInfo"] = str(self._remote.authority)
        return environment, settings

    def _ssh(self) -> tuple[dict[str, str], dict[str, str]]:
        found = _SSH.fullmatch(self._remote.url) or _SHORT_SSH.fullmatch(self._remote.url)
        assert found is not None
        host, port = found["host"], int(found.groupdict().get("port") or 22)
        address = self._remote.outbound.check(f"https://{host}:{port}/")[0]
        bare = host.strip("[]")
        options = {
            # Nothing is asked, nothing is added to the known hosts, no other way is taken.
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": "30",
            "ServerAliveInterval": "30",
            "ProxyCommand": "none",
            "PermitLocalCommand": "no",
            "ForwardAgent": "no",
            "HostName": address,
            "HostKeyAlias": bare if port == 22 else f"[{bare}]:{port}",
        }
        command = ["ssh", "-F", "none", *(f"-o{name}={value}" for name, value in options.items())]
        return {
            "GIT_ALLOW_PROTOCOL": "ssh",
            "GIT_SSH_COMMAND": shlex.join(command),
            "GIT_SSH_VARIANT": "ssh",
        }, {}

    def _mapped(self, error: GitFailed) -> ConnectorError | Passing:
        said, shown = error.said, self._shown()
        if "couldn't find remote ref" in said or "not our ref" in said:
            return SourceMisconfigured(f"{shown} has no ref {self._ref}", hint="check `ref`")
        if "Host key verification failed" in said:
            return AccessDenied(
                f"{shown}: its host key is not known", hint="add it to ~/.ssh/known_hosts of who indexes"
            )
        if _REFUSED.search(said):
            return AccessDenied(
                f"{shown} refuses access", hint="check the variable that `token_env` names, or the ssh key"
            )
        if _ABSENT.search(said):
            return SourceMisconfigured(f"there is no repository at {shown}", hint="check `path`")
        return Passing(f"{shown} cannot be fetched from: {self._without_token(said)[-200:]}")

    def _shown(self) -> str:
        return self._remote.url.partition("?")[0][:200]

    def _without_token(self, said: str) -> str:
        token = self._remote.token or ""
        for secret in (token, quote(token, safe=""), _authorization(token).partition(" ")[2]):
            said = said.replace(secret, "...") if secret else said
        return said


def _authorization(token: str) -> str:
    if " " in token.strip():
        return token.strip()
    pair = token if ":" in token else f"x-access-token:{token}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
