"""Networks: addresses and ranges of the Internet Protocol, each with one text."""

import ipaddress
from typing import TypeAlias

from entrepot.values import MalformedError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(text: str) -> Network:
    """Read an address or range; an address in IPv6 that is one of IPv4 is that one."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise MalformedError(f"expected an address or range such as 192.0.2.0/24, got {text!r}") from error
    mapped = network.network_address.ipv4_mapped if network.version == 6 else None
    if mapped is not None and network.prefixlen >= 96:
        return ipaddress.ip_network((mapped, network.prefixlen - 96))
    return network


def short_network(text: str) -> str:
    """The one text of an address or range."""
    return str(parse_network(text))


def lies_in(narrow: Network, wide: Network) -> bool:
    """Whether one range is another or a part of it."""
    return narrow.version == wide.version and narrow.subnet_of(wide)  # type: ignore[arg-type]  # of one version
