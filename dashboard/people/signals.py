"""Signals of sign-ins beyond Django's own three, for the audit to listen to.

Each is sent with `request` (None from the command line), `user` (None where nobody is known) and what
stands beside.
"""

from __future__ import annotations

from django.dispatch import Signal

old_password_wrong = Signal()  # at the change of one's own password
sign_in_throttled = Signal()  # username as tried, retry_after in seconds
second_factor_failed = Signal()
second_factor_set_up = Signal()
second_factor_removed = Signal()  # by: the user who removed it, None from the command line
recovery_code_used = Signal()  # left: how many codes remain
