"""A host -> the addresses to connect to, each of them checked, or a refusal."""

import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address

from connectors.addresses import Allowed, is_guarded
from connectors.errors import AddressRefused, SourceUnavailable
from connectors.retrying import Passing
from connectors.targets import Target

LATER = "try again later: `ragflow index` goes on where it stopped"
Resolve = Callable[[str, int], Sequence[str]]
"""(host, port) -> its addresses as text, in the order in which to try them. Raises ``OSError``."""


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Lookup:
    """Looks hosts up under the rules of ``Allowed``."""

    def __init__(self, allow: Iterable[str], resolve: Resolve = resolved) -> None:
        self._allowed = Allowed(allow)
        self._resolve = resolve

    def addresses(self, place: Target) -> list[str]:
        """Return all addresses of a host; one that is not to be reached refuses the host as a whole.

        Raises ``AddressRefused``, ``SourceUnavailable`` (no such host), ``Passing`` (cannot be known now).
        """
        found = [place.literal] if place.literal is not None else self._looked_up(place)
        for address in found:
            self._check(place, address)
        return found

    def _check(self, place: Target, address: str) -> None:
        try:
            known = ip_address(address.partition("%")[0])
        except ValueError as error:
            raise AddressRefused(
                f"{place.shown} is at {address!r}, which is no address", hint="check this machine's DNS"
            ) from error
        if self._allowed.permits(place.host, known):
            return
        if is_guarded(known):
            raise AddressRefused(
                f"{place.shown} is at {address}, a link-local or metadata address",
                hint="it is opened by no name or network, only by that very address in outbound.allow",
            )
        raise AddressRefused(
            f"{place.shown} is at {address}, which is not public",
            hint=f"if it is to be reached, add {place.host} or {address} to outbound.allow",
        )

    def _looked_up(self, place: Target) -> list[str]:
        try:
            found = list(self._resolve(place.host, place.port))
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise Passing(f"{place.host} cannot be looked up now") from error
            raise SourceUnavailable(
                f"there is no host {place.host}", hint="check the address, and this machine's DNS"
            ) from error
        except (OSError, UnicodeError) as error:
            raise SourceUnavailable(
                f"{place.host} cannot be looked up: {said(error)}", hint="check the address"
            ) from error
        if not found:
            raise SourceUnavailable(f"{place.host} has no address", hint="check the address")
        return found


def said(error: BaseException | None) -> str:
    """Return the words of an error of the network, without the pool and the address before them."""
    text = str(getattr(error, "reason", None) or error)
    return (text.rsplit(": ", 1)[-1] if ": " in text else text).strip("()' \"") or type(error).__name__
