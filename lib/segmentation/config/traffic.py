"""`traffic`: which events no customer made. They are flagged in `events`, never deleted."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Literal

from pydantic import Field, field_validator

from segmentation.config.model import Name, Pattern, Section

Flagged = Literal["bots", "tests"]
FLAGGED: tuple[Flagged, ...] = ("bots", "tests")


class Rates(Section):
    """What one identifier would have to do to be no person.

    Times are counted in whole seconds: however many events have one second (the lines of a receipt), they are one.
    Whatever is over a limit has all events of that identifier on that day (UTC) flagged.
    """

    per_minute: int | None = Field(
        None, ge=1, le=60, description="At most so many seconds of a minute have an event. null: no limit."
    )
    per_hour: int | None = Field(
        1200, ge=1, le=3600, description="At most so many seconds of an hour have one. null: no such limit."
    )
    hours_a_day: int | None = Field(
        21,
        ge=1,
        le=24,
        description="At most so many hours of a day have one: more is a visit without end.",
    )
    by: list[Name] = Field(
        [],
        description="The identifier types to count by, the first of them that an event has. Default: the least "
        "trusted that it has, which stands for a device.",
    )

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return any(limit is not None for limit in (self.per_minute, self.per_hour, self.hours_a_day))


class Bots(Section):
    """What makes an event a bot's (`is_bot`)."""

    user_agent: Name | None = Field(
        "user_agent", description="The property that holds the user agent. null: user agents are not looked at."
    )
    known: bool = Field(True, description="Look for the patterns of the package crawler-user-agents in it.")
    agents: list[Pattern] = Field([], description="Further regular expressions to look for in it.")
    not_agents: list[Pattern] = Field(
        [], description="Regular expressions: a user agent in which one is found is a person's, whatever else it says."
    )
    rates: Rates = Field(Rates(), description="What one identifier would have to do to be no person.")


class Accounts(Section):
    """Declared identifiers of one type."""

    values: list[str] = Field([], description="Exactly these, compared as identifiers of their type are.")
    patterns: list[Pattern] = Field([], description="Regular expressions that match whole values, whatever their case.")


class Tests(Section):
    """What makes an event a test account's or the house's own (`is_test`)."""

    identifiers: dict[Name, Accounts] = Field(
        {}, description="Identifier type -> test accounts. Told before values become tokens."
    )
    address: Name = Field("ip", description="The property that holds the address from which the event came.")
    networks: list[str] = Field([], description="Internal addresses and networks, such as 10.0.0.0/8 or 2001:db8::/32.")

    @field_validator("networks")
    @classmethod
    def _are_networks(cls, networks: list[str]) -> list[str]:
        for network in networks:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise ValueError(f"'{network}' is no address or network, such as 10.0.0.0/8") from None
        return networks


class TrafficSettings(Section):
    """Which events no customer made."""

    bots: Bots = Field(Bots(), description="What makes an event a bot's (`is_bot`).")
    tests: Tests = Field(Tests(), description="What makes an event a test account's or the house's own (`is_test`).")
    not_kept: list[Name] = Field(
        [], description="Properties that are looked at and then not kept in `events`, such as ip."
    )
    leave_out: list[Flagged] = Field(list(FLAGGED), description="Flagged events that later stages leave out.")
