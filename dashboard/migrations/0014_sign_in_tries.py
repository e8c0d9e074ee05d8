"""Tries to sign in are counted where all processes see them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0013_audit_events"),
    ]

    operations = [
        migrations.CreateModel(
            name="SignInTry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(db_index=True)),
                (
                    "account",
                    models.CharField(db_comment="Keyed hash of the name that was typed", max_length=64),
                ),
                (
                    "address",
                    models.CharField(
                        db_comment="IPv4 address, IPv6 network of 64 bits, or unknown", max_length=64
                    ),
                ),
                (
                    "browser",
                    models.CharField(
                        blank=True, db_comment="Set where the account is known there", max_length=64
                    ),
                ),
            ],
            options={
                "db_table": "sign_in_tries",
                "db_table_comment": "Tries to sign in of the last minutes",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["account", "at"], name="sign_in_tries_account_idx"),
                    models.Index(fields=["address", "at"], name="sign_in_tries_address_idx"),
                ],
            },
        ),
    ]
