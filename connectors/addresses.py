"""Which addresses may be reached: the public ones, and those listed."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

# Where clouds keep the credentials of a machine, as far as it is not link-local. Azure's is public, Alibaba's
# is in the shared range and those of IPv6 are in the private one: who lists that range means other machines.
_METADATA = frozenset(
    ip_address(one)
    for one in ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
# What Python's `is_global` lets through, in one version or another, though nobody's public server is there.
_CLOSED_4 = tuple(
    IPv4Network(one) for one in ("192.0.0.0/24", "192.88.99.0/24", "100.64.0.0/10", "240.0.0.0/4")
)
_CLOSED_6 = tuple(IPv6Network(one) for one in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


class Allowed:
    """Tells which addresses may be reached: the public ones, and those listed.

    An entry is an address, a network or a host name. Link-local addresses and those at which a cloud keeps
    its machines' credentials are opened by their very address alone: by no network, and by no name.
    """

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
        inner = _inner(address)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            return self.permits(host, address.ipv4_mapped)
        if inner is not None and not self.permits(host, inner):
            return False
        listed = [one for one in self._networks if one.version == address.version and address in one]
        if is_guarded(address):
            return any(one.prefixlen == one.max_prefixlen for one in listed)
        if listed:
            return True
        if host.lower().rstrip(".") in self._names:
            return not (address.is_multicast or address.is_unspecified)
        return _public(address)


def is_guarded(address: Address) -> bool:
    """Say whether an address is link-local, or one at which a cloud keeps its machines' credentials."""
    return address in _METADATA or address.is_link_local


def _public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in one for one in _CLOSED_4)
    if _inner(address) is not None:
        # The address that it carries was looked at; of such, a translator alone is met in earnest.
        return address in _NAT64
    return address in _UNICAST and address.is_global and not any(address in one for one in _CLOSED_6)


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine itself, by its name alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _inner(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one carries: mapped, translated (NAT64), 6to4, Teredo, ISATAP."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None or address.sixtofour is not None:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
