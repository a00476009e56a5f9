"""Which addresses may be reached: the public ones, and those listed."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

# Public addresses at which clouds keep the credentials of a machine; all others are link-local or private.
_METADATA = frozenset(
    {ip_address("168.63.129.16"), ip_address("fd00:ec2::254"), ip_address("169.254.169.254")}
)
_NAT64 = IPv6Network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


class Allowed:
    """Tells which addresses may be reached: the public ones, and those listed."""

    def __init__(self, allow: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in allow:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry.lower().rstrip("."))

    def permits(self, host: str, address: Address) -> bool:
        """Say whether ``host`` may be reached at ``address``."""
        if any(address.version == one.version and address in one for one in self._networks):
            return True
        inner = _inner(address)
        if inner is not None and not self.permits(host, inner):
            return False
        if address in _METADATA or address.is_link_local:
            return False
        if host.lower().rstrip(".") in self._names:
            return not (address.is_multicast or address.is_unspecified)
        return address.is_global and not address.is_multicast


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine itself, by its name alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _inner(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one carries: mapped, translated (NAT64), 6to4, Teredo."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None or address.sixtofour is not None:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    # The deprecated ::a.b.c.d, which some systems still connect by.
    return IPv4Address(int(address)) if 1 < int(address) < 2**32 else None
