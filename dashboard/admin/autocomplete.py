"""The box in which a row of another table is found by typing."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError


class Autocomplete(AutocompleteSelect):
    """Empty where what was sent cannot be a key; Django would ask the database for it and fail."""

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        try:
            return super().optgroups(name, value, attr)
        except (ValueError, ValidationError):
            return super().optgroups(name, [], attr)
