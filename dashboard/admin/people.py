"""Users and their roles."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.forms import CheckboxSelectMultiple, ModelForm
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from ..counted import counted
from ..models import ImportRun
from ..people import second_factor
from . import history
from .base import HelioxAdmin

ADMIN = "Admin"

admin.site.unregister(User)
admin.site.unregister(Group)
# Their forms would show or take keys: people set up their own, and here they are only taken off.
admin.site.unregister(TOTPDevice)
admin.site.unregister(StaticDevice)


@admin.register(User)
class HelioxUserAdmin(HelioxAdmin, UserAdmin):
    moves_figures = False
    list_display = ["username", "first_name", "last_name", "email", "roles"]
    list_display += ["second_factor", "is_active", "last_login"]
    actions = ["remove_second_factor"]
    list_filter = ["groups", "is_active", "is_superuser"]
    filter_horizontal = []
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        (
            "Role",
            {
                "fields": ["groups", "is_active", "is_staff", "is_superuser"],
                "description": "Viewer looks, Finance and Manager download too, Admin edits and imports too.",
            },
        ),
        ("Dates", {"fields": ["last_login", "date_joined"], "classes": ["collapse"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["username", "usable_password", "password1", "password2"]}),
        ("Role", {"fields": ["groups"]}),
    ]
    readonly_fields = ["last_login", "date_joined"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).prefetch_related("groups", "totpdevice_set")

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        return ", ".join(sorted(group.name for group in user.groups.all()))

    @admin.display(description="second factor", boolean=True)
    def second_factor(self, user: Any) -> bool:
        return any(device.confirmed for device in user.totpdevice_set.all())

    @admin.action(description="Remove the second factor", permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, users: QuerySet) -> None:
        """For those who lost theirs; whoever must have one sets up another at the next sign-in."""
        allowed = [user for user in users if self.has_change_permission(request, user)]
        removed = [user for user in allowed if second_factor.remove(request, user, by=request.user)]
        history.log(request, {"Removed the second factor.": removed})
        names = ", ".join(map(str, removed)) or "nobody"
        self.message_user(request, f"Removed the second factor of {names}.", messages.INFO)

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs["widget"] = CheckboxSelectMultiple
            kwargs["help_text"] = "Without a role the user sees no figures."
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        return [*self.readonly_fields, *([] if is_root(request.user) else ["is_superuser"])]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """A superuser is changed by superusers: else every admin could become one."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or not obj.is_superuser or is_root(request.user))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return self.has_change_permission(request, obj) and super().has_delete_permission(request, obj)

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        before = {group.name for group in form.initial.get("groups") or []}
        super().save_related(request, form, formsets, change)
        user = form.instance
        after = set(user.groups.values_list("name", flat=True))
        if ADMIN in after and not user.is_staff:
            self.set_staff(request, form, True, f"{user} is in group {ADMIN} and so may use these pages.")
        elif ADMIN in before - after and user.is_staff and not user.is_superuser:
            self.set_staff(request, form, False, f"{user} left group {ADMIN} and so these pages too.")

    def set_staff(self, request: HttpRequest, form: ModelForm, is_staff: bool, words: str) -> None:
        """The history is written after this, and by the form: there it stands as if it had been ticked."""
        user = form.instance
        user.is_staff = form.cleaned_data["is_staff"] = is_staff
        others = [name for name in form.changed_data if name != "is_staff"]
        is_new = form.initial.get("is_staff", is_staff) != is_staff
        form.changed_data = [*others, "is_staff"] if is_new else others
        user.save(update_fields=["is_staff"])
        self.message_user(request, words, messages.INFO)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Whoever is part of the history stays in it: such an account is switched off instead."""
        listed, counts, lacking, _ = super().get_deleted_objects(objs, request)
        kept = [f"{user}: {words}" for user in objs for words in self.reasons_to_stay(request, user)]
        return listed, counts, lacking, kept

    def reasons_to_stay(self, request: HttpRequest, user: User) -> list[str]:
        if not self.has_delete_permission(request, user):
            return ["only a superuser deletes a superuser"]
        if user == request.user:
            return ["this is you"]
        changes = LogEntry.objects.filter(user=user).count()
        runs = ImportRun.objects.filter(user=user).count()
        if changes or runs:
            history = f"{counted(changes, 'change')} and {counted(runs, 'import')}"
            return [f"in the history of {history}; make the account inactive"]
        return []


def is_root(user: Any) -> bool:
    return user.is_superuser


@admin.register(Group)
class HelioxGroupAdmin(HelioxAdmin, GroupAdmin):
    moves_figures = False
    filter_horizontal = []
