from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from dashboard.views import accounts

urlpatterns = [
    path("", include("dashboard.urls")),
    path("admin/", admin.site.urls),
    path("accounts/login/", auth.LoginView.as_view(), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("accounts/password_change/", auth.PasswordChangeView.as_view(), name="password_change"),
    path(
        "accounts/password_change/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"
    ),
    path("healthz", accounts.healthz, name="healthz"),
    path("readyz", accounts.readyz, name="readyz"),
]
