"""Its connections are watched as those of the pool are. Django names this file."""

from types import SimpleNamespace
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from ..frozen import WatchedReplica


class DatabaseWrapper(base.DatabaseWrapper):
    Database: Any = SimpleNamespace(**vars(psycopg) | {"connect": WatchedReplica.connect})
