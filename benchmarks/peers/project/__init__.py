"""A Django project of the first day, on tables that are there; it runs in others' environments."""
