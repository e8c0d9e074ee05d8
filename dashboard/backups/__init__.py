"""A backup is one file: the database as it was at one moment, and what its tables came to then."""

from .making import backup
from .restoring import restore
from .saying import CannotBackUp, Manifest

__all__ = ["CannotBackUp", "Manifest", "backup", "restore"]
