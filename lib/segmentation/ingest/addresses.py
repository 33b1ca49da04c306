"""Internet addresses: whether one lies in a network, in plain Spark."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from ipaddress import IPv4Network, IPv6Network, ip_network
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F

_BYTE = r"(25[0-5]|2[0-4]\d|[01]?\d?\d)"
_IPV4 = rf"^{_BYTE}(\.{_BYTE}){{3}}$"
_IPV6 = r"^(?=[^:]*:[^:]*:)[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}$"
_MAPPED = "^::ffff:(?=[0-9.]+$)"
"""How a server that speaks IPv6 writes an IPv4 address (RFC 4291, section 2.5.5.2)."""
_GROUPS = 8


def is_within(address: Column, networks: Sequence[str]) -> Column:
    """Whether an address, IPv4 or IPv6 as text, lies in one of the networks; false for what is no address.

    Addresses are compared as their version and hexadecimal digits, whose order as text is their order as numbers.
    """
    if not networks:
        return F.lit(False)
    plain = F.regexp_replace(F.lower(F.trim(address)), _MAPPED, "")
    bounds = [_bounds(ip_network(network, strict=False)) for network in networks]
    # Within the array the digits are made once, however many networks there are.
    digits = F.array(_ipv4_digits(plain), _ipv6_digits(plain))
    found = F.exists(digits, lambda one: reduce(or_, [one.between(*ends) for ends in bounds]))
    return F.coalesce(found, F.lit(False))


def _bounds(network: IPv4Network | IPv6Network) -> tuple[str, str]:
    width = network.max_prefixlen // 4
    first, last = int(network.network_address), int(network.broadcast_address)
    return f"{network.version}{first:0{width}X}", f"{network.version}{last:0{width}X}"


def _ipv4_digits(address: Column) -> Column:
    parts = F.transform(F.split(address, r"\."), lambda part: F.lpad(F.hex(part.try_cast("long")), 2, "0"))
    return F.when(address.rlike(_IPV4), F.concat(F.lit("4"), F.array_join(parts, "")))


def _ipv6_digits(address: Column) -> Column:
    """The groups before `::`, as many empty ones as are missing, and those after it."""
    before, after = _groups(F.substring_index(address, "::", 1)), _groups(F.substring_index(address, "::", -1))
    missing = F.greatest(F.lit(_GROUPS) - F.size(before) - F.size(after), F.lit(0))
    shortened = F.concat(before, F.array_repeat(F.lit(""), missing), after)
    groups = F.when(F.contains(address, F.lit("::")), shortened).otherwise(F.split(address, ":"))
    digits = F.upper(F.array_join(F.transform(groups, lambda group: F.lpad(group, 4, "0")), ""))
    return F.when(address.rlike(_IPV6) & (F.size(groups) == _GROUPS), F.concat(F.lit("6"), digits))


def _groups(text: Column) -> Column:
    return F.filter(F.split(text, ":"), lambda group: group != "")
