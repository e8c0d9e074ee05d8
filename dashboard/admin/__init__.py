"""Django's own admin for those who keep the data, one module for each subject."""

from . import imports, jobs, mappings, people, snapshots, teams

__all__ = ["imports", "jobs", "mappings", "people", "snapshots", "teams"]
