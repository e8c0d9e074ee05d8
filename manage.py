#!/usr/bin/env python3
"""Heliox from the command line: `manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "heliox_site.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Heliox cannot start: {error}")
    except DatabaseError:
        from dashboard.doctor import unreachable

        if why := unreachable():
            sys.exit(f"Heliox cannot reach its database: {why}")
        raise


if __name__ == "__main__":
    main()
