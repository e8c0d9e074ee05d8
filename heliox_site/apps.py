from django.contrib.admin.apps import AdminConfig
from django.contrib.auth.apps import AuthConfig


class HelioxAdminConfig(AdminConfig):
    default_site = "heliox_site.admin.HelioxAdminSite"


class PeopleConfig(AuthConfig):
    verbose_name = "People"
