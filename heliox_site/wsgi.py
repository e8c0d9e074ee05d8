"""The door for any WSGI server: `granian --interface wsgi heliox_site.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "heliox_site.settings")
# Pages give up before they hold a thread for ever; commands, which may take an hour, have no such limits.
# Compiling a query (jit) takes longer than running it where the planner thinks a page's sums dear.
# libpq reads this variable, so an administrator's own PGOPTIONS wins.
os.environ.setdefault("PGOPTIONS", "-c statement_timeout=60s -c lock_timeout=15s -c jit=off")

application = get_wsgi_application()
