from __future__ import annotations

from django.urls import path

from .views import accounts

urlpatterns: list = [
    path("theme", accounts.theme, name="theme"),
]
