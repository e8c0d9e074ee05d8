"""What every list and form of the admin shares: history with old and new, and no 500 for an odd question."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.contrib.admin.widgets import AdminSplitDateTime, RelatedFieldWidgetWrapper
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import DataError
from django.db.models import DateTimeField, Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst, smart_split

from ..access import may_export, may_import
from ..restating import restating
from . import history
from .autocomplete import Autocomplete
from .links import link, page_query
from .meanwhile import BesideOthers

MOST_WORDS = 20
MOST_LISTED = 50
MOST_DIGITS = 40
YEARS = range(2000, 2100)  # those of the calendar that cuts jobs into days
CRASHING = {"range", "regex", "iregex"}  # lookups that no list needs and that many values break
UNREADABLE = (ValueError, OverflowError, ValidationError, DataError)


class CarefulChangeList(ChangeList):
    """A filter that cannot be read leads to the list without it; Django catches only some."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet:
        try:
            for values in self.get_filters_params().values():
                for value in values:
                    check_number(value)
            return super().get_queryset(request, exclude_parameters)
        except UNREADABLE as error:
            raise IncorrectLookupParameters(error) from error

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
        except UNREADABLE as error:
            raise IncorrectLookupParameters(error) from error


def check_number(text: str) -> None:
    """PostgreSQL gives up on a number of a million digits, and with it the whole transaction."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return
    if number.is_finite() and abs(number.adjusted()) > MOST_DIGITS:
        raise OverflowError(text)


def words_of(search: str) -> list[str]:
    """Words between quotes are one."""
    return [word.strip("\"'") if word[:1] in "\"'" else word for word in smart_split(search)]


class DateAndTime(AdminSplitDateTime):
    """Two boxes that say what they ask to those who cannot see the words beside them, too."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        for box, part in zip(context["widget"]["subwidgets"], ("date", "time"), strict=True):
            box["attrs"]["aria-label"] = f"{name.replace('_', ' ').capitalize()}: {part}"
        return context


class CarefulAdmin(admin.ModelAdmin):
    formfield_overrides = {DateTimeField: {"widget": DateAndTime}}
    list_per_page = 50
    most_words = MOST_WORDS  # of a search
    adding_up: tuple[str, ...] = ()  # amounts whose sum is told of rows that are deleted together
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CarefulChangeList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if ERROR_FLAG in request.GET:
            self.message_user(request, "A filter could not be read: all rows are shown.", messages.WARNING)
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if len(words_of(search_term)) > self.most_words:
            return self.too_many_words(request, queryset)
        return super().get_search_results(request, queryset, search_term)

    def too_many_words(self, request: HttpRequest, queryset: QuerySet) -> tuple[QuerySet, bool]:
        self.message_user(request, f"Search for at most {self.most_words} words.", messages.ERROR)
        return queryset.none(), False

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return lookup.rpartition("__")[2] not in CRASHING and super().lookup_allowed(lookup, value, request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return super().get_object(request, object_id, from_field or None)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        given = super().get_changeform_initial_data(request)
        return {name: value for name in given if (value := self.readable(name, given[name])) is not None}

    def readable(self, name: str, given: Any) -> Any:
        """What an address says of a new row's field; None where the field cannot hold it."""
        try:
            field = self.opts.get_field(name)
            value = field.to_python(given) if isinstance(given, str) and field.concrete else given
        except (FieldDoesNotExist, *UNREADABLE):
            return None
        return None if isinstance(value, datetime) and value.year not in YEARS else value

    def log_deletions(self, request: HttpRequest, queryset: QuerySet) -> Any:
        return history.log_deletions(request, queryset, self.adding_up)

    def response_action(self, request: HttpRequest, queryset: QuerySet, *args: Any) -> HttpResponse | None:
        try:
            for key in request.POST.getlist(helpers.ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(key)
        except ValidationError:
            self.message_user(request, "Nothing was changed: no such rows.", messages.ERROR)
            return None
        return super().response_action(request, queryset, *args)


class HelioxAdmin(BesideOthers, CarefulAdmin):
    moves_figures = True  # whether what is edited may change what a closed month comes to
    page_name = ""  # of the page that shows the same rows and gives them as a file
    page_filters: tuple[str, ...] = ()  # those that list and page share

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        with self.noting(request):
            return super().changelist_view(request, {"tools": self.tools(request)} | (extra_context or {}))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with self.noting(request):
            return super().changeform_view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with self.noting(request):
            return super().delete_view(request, *args, **kwargs)

    def noting(self, request: HttpRequest) -> AbstractContextManager[None]:
        return restating() if request.method == "POST" and self.moves_figures else nullcontext()

    def get_view_on_site_url(self, obj: Any = None) -> str | None:
        """Straight to the row's page, without Django's detour by content type."""
        return obj.get_absolute_url() if hasattr(obj, "get_absolute_url") else None

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        """Links beside "Add": where rows come in by the file, and where they go out."""
        if not self.page_name:
            return []
        query, links = page_query(request, self.page_filters, self.date_hierarchy), []
        if query is not None:
            links.append(link("Show on its page", self.page_name, **query))
        if query is not None and may_export(request.user):
            links.append(link("Download CSV", self.page_name, **query, _export="csv"))
        if may_import(request.user):
            links.append(link("Import files", "imports"))
        return links

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        if add:
            return history.added(form.instance)
        if not form.changed_data or not isinstance(form, ModelForm):  # that of a password is none of a row
            return super().construct_change_message(request, form, formsets, add)
        return history.changes(form)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Without the pop-ups that change or delete another row in passing."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget.can_change_related = field.widget.can_delete_related = False
            field.widget.can_view_related = False
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", Autocomplete(db_field, self.admin_site, using=kwargs.get("using")))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Rows that nothing hangs on: their number, and their names while they fit on a page."""
        if not self.has_delete_permission(request):
            return [], {}, {self.opts.verbose_name}, []
        number = len(objs) if isinstance(objs, list) else objs.count()
        listed = [str(row) for row in objs[:MOST_LISTED]]
        if number > MOST_LISTED:
            listed.append(f"… and {number - MOST_LISTED:,} more")
        return listed, {self.opts.verbose_name_plural: number}, set(), []


class ReadOnlyAdmin(CarefulAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
