"""How many tries to sign in are let through, counted in the database for all processes together.

Only tries that were let through count; those refused do not prolong the wait. A browser that the account
is known from has tries of its own. All others share those of the account, and those of their address.
Tries of a clock that was ahead do not count, or they would until that day is over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from ..models import SignInTry
from .addresses import client_address, network
from .browsers import account_key, known_browser

WINDOW = timedelta(minutes=15)
AHEAD = timedelta(minutes=1)  # by which the clocks of several hosts may differ
OF_A_STRANGER_AT_AN_ACCOUNT = 10
OF_STRANGERS_AT_AN_ACCOUNT = 20
OF_AN_ADDRESS = 20
OF_A_KNOWN_BROWSER = 10


class Throttled(Exception):
    """Raised before a password or code is looked at."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"Too many tries, again in {retry_after} seconds.")


@dataclass(frozen=True)
class Trier:
    account: str
    address: str
    browser: str

    @classmethod
    def of(cls, request: HttpRequest, username: str) -> Trier:
        account = account_key(username)
        return cls(account, network(client_address(request)), known_browser(request, account))

    def at(self, door: str) -> Trier:
        """The same at another door than the password's, with tries of its own."""
        return replace(self, account=account_key(f"{door} {self.account}"))

    def limits(self) -> list[tuple[dict[str, str], int]]:
        if self.browser:
            return [({"account": self.account, "browser": self.browser}, OF_A_KNOWN_BROWSER)]
        at_the_account = {"account": self.account, "browser": ""}
        from_the_address = {"address": self.address, "browser": ""}
        return [
            (at_the_account, OF_STRANGERS_AT_AN_ACCOUNT),
            (from_the_address, OF_AN_ADDRESS),
            (at_the_account | from_the_address, OF_A_STRANGER_AT_AN_ACCOUNT),
        ]


def begin(trier: Trier) -> None:
    """Counts a try, or raises Throttled.

    It is stored before it is counted again: of many at the same moment none slips through.
    """
    moment = timezone.now()
    if wait := seconds_to_wait(trier, moment):
        raise Throttled(wait)
    SignInTry.objects.filter(Q(at__lte=moment - WINDOW) | Q(at__gt=moment + AHEAD)).delete()
    one = SignInTry.objects.create(
        at=moment, account=trier.account, address=trier.address, browser=trier.browser
    )
    if wait := seconds_to_wait(trier, moment, stored=1):
        one.delete()
        raise Throttled(wait)


def seconds_to_wait(trier: Trier, moment: datetime, stored: int = 0) -> int:
    """Until each limit has room for one more; `stored`: how many of this try are counted already."""
    waits = [0]
    for which, limit in trier.limits():
        recent = SignInTry.objects.filter(at__gt=moment - WINDOW, at__lte=moment + AHEAD, **which)
        last = limit - 1 + stored
        for at in recent.order_by("-at").values_list("at", flat=True)[last : last + 1]:
            waits.append(ceil((at + WINDOW - moment).total_seconds()))
    return max(waits)


def forget(trier: Trier) -> None:
    """After a sign-in: the tries of whoever did it, not those of strangers at the same account."""
    SignInTry.objects.filter(account=trier.account, address=trier.address, browser=trier.browser).delete()
