"""Which address a request comes from, as far as it can be believed."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

UNKNOWN = "unknown"  # a socket without addresses, such as a proxy's on the same host


def client_address(request: HttpRequest) -> str:
    """The peer; behind a proxy the right-most hop, the only one that the proxy itself has added."""
    if settings.HELIOX_BEHIND_PROXY:
        last_hop = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2]
        if (told := readable(last_hop)) != UNKNOWN:
            return told
    return readable(request.META.get("REMOTE_ADDR", ""))


def readable(text: str) -> str:
    """The address in its one spelling; some proxies write its port behind it."""
    host = text.strip()
    if host.startswith("[") or host.count(":") == 1:
        host = host.rpartition(":")[0] if not host.endswith("]") else host
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return UNKNOWN
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def network(address: str) -> str:
    """What one person holds: an IPv4 address, but 2⁶⁴ addresses of IPv6."""
    if ":" not in address:
        return address
    return str(ip_network(f"{address.partition('%')[0]}/64", strict=False))
