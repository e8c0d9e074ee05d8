"""Tries to sign in, for as long as they count."""

from __future__ import annotations

from django.db import models


class SignInTry(models.Model):
    at = models.DateTimeField(db_index=True)
    account = models.CharField(max_length=64, db_comment="Keyed hash of the name that was typed")
    address = models.CharField(max_length=64, db_comment="IPv4 address, IPv6 network of 64 bits, or unknown")
    browser = models.CharField(max_length=64, blank=True, db_comment="Set where the account is known there")

    class Meta:
        db_table = "sign_in_tries"
        db_table_comment = "Tries to sign in of the last minutes"
        default_permissions = ()
        indexes = [
            models.Index(fields=["account", "at"], name="sign_in_tries_account_idx"),
            models.Index(fields=["address", "at"], name="sign_in_tries_address_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.address} {self.at}"
