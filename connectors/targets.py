"""A URL -> the parts that are connected to, or a refusal: one reading of it, here, for whoever connects."""

import re
from dataclasses import dataclass
from functools import cached_property
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote, urljoin, urlsplit

from connectors.errors import SourceMisconfigured

_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# Letters that the older of two rules for names writes as others: two machines might be meant.
_TWO_READINGS = frozenset("\u00df\u1e9e\u03c2")
# All that may stand in a URL as it is, and the backslash, so that it is refused rather than hidden.
_KEPT = "%:/?#[]@!$&'()*+,;=~\\"


@dataclass(frozen=True)
class Target:
    """A URL in the parts that are connected to.

    ``host``: lower case ASCII without brackets; of an address, the one way to write it. ``path`` begins
    with a slash and has the query.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return what credentials belong to."""
        return self.scheme, self.host, self.port

    @cached_property
    def authority(self) -> str:
        """Return host and port as a URL writes them."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """Return the whole URL, without fragment."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def shown(self) -> str:
        """Return where it is, without the query: that may hold what nobody should read in a message."""
        return self.url.partition("?")[0]

    @property
    def literal(self) -> str | None:
        """Return the host where it is an address, which needs no look-up."""
        return self.host if ":" in self.host or self.host.rpartition(".")[2].isdigit() else None

    def after(self, place: str) -> "Target":
        """Return where a ``Location`` leads from here. Raises ``SourceMisconfigured``, as ``target`` does."""
        # What other machines send unquoted is quoted byte for byte, as browsers do.
        return target(urljoin(self.url, quote(place.strip(" "), safe=_KEPT, encoding="latin-1")))


def target(url: str) -> Target:
    """Return the parts of an http or https URL.

    Raises ``SourceMisconfigured`` for any other URL, and for one that two programs might read in two ways:
    with a name or password, a backslash, a space or control character, a number that is no plain address.
    """
    if any(char.isspace() or not char.isprintable() or char == "\\" for char in url):
        raise _no_url(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _no_url(url) from error
    if parts.username is not None or parts.password is not None:
        raise SourceMisconfigured(
            f"the address of {host} holds a name or password",
            hint="name an environment variable that holds it",
        )
    if parts.scheme not in _PORTS or not host or port == 0:
        raise _no_url(url)
    named = _address(host) or _name(host)
    if named is None:
        raise _no_url(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, named, port or _PORTS[parts.scheme], path)


def _address(host: str) -> str | None:
    try:
        # A zone (%eth0) would say by which interface: nobody outside this machine has a say in that.
        return str(IPv6Address(host)) if ":" in host and "%" not in host else None
    except AddressValueError:
        return None


def _name(host: str) -> str | None:
    """Return a name or an IPv4 address as it is looked up, or None for what is neither."""
    try:
        if not host.isascii():
            host = "" if _TWO_READINGS & set(host) else host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    labels = host.removesuffix(".").split(".")
    if len(host) > 254 or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    if not _NUMBER.fullmatch(labels[-1]):
        return host
    try:
        # Resolvers read 2130706433, 0x7f.1, 0177.0.0.1 and 127.1 as addresses too; nobody has to.
        return str(IPv4Address(".".join(labels)))
    except AddressValueError:
        return None


def _no_url(url: str) -> SourceMisconfigured:
    # Neither the query nor what stands before an @ is repeated: both may hold a secret.
    shown = url.partition("?")[0].rpartition("@")[2][:200]
    return SourceMisconfigured(
        f"no plain http or https address: {shown!r}",
        hint="write https://HOST/PATH, an IPv4 host as 192.0.2.1",
    )
