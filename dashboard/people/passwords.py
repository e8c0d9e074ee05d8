"""How passwords are kept: Argon2id, in little enough memory for many sign-ins at once."""

from __future__ import annotations

from django.contrib.auth import hashers


class Argon2PasswordHasher(hashers.Argon2PasswordHasher):
    """OWASP's first choice and one round more; Django's own takes 100 MiB and eight threads."""

    memory_cost = 46 * 1024
    time_cost = 2
    parallelism = 1
