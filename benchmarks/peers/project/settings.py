"""Django's defaults, and those of the packages that are installed beside it."""

import os
from importlib.util import find_spec
from pathlib import Path

OTHERS = [name for name in ("django_tables2", "django_filters", "import_export") if find_spec(name)]

SECRET_KEY = "only-for-this-measurement"
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "benchmarks.peers.project.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "benchmarks.peers.project", *OTHERS]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["DATABASE_NAME"],
        "HOST": os.environ["DATABASE_SOCKET"],
        "USER": "heliox",
    }
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
