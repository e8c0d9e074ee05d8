"""The door for any WSGI server: `granian --interface wsgi heliox_site.wsgi:application`."""

import gc
import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

from dashboard.plain_types import typed_plainly

try:
    from heliox_site.settings import DATABASES, HELIOX_LOCK_SECONDS, HELIOX_PAGE_SECONDS
except ImproperlyConfigured as error:
    print(f"Heliox cannot start: {error}", file=sys.stderr)
    sys.exit(3)  # by which gunicorn knows that to start a worker anew is no use

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "heliox_site.settings")
# Pages give up before they hold a thread for ever; commands, which may take an hour, have no such limits, nor
# has what may take as long in a page (databases.at_leisure).
# Compiling a query (jit) or starting workers for it takes longer than running what a page asks.
# libpq reads this variable, so an administrator's own PGOPTIONS wins.
LIMITS = f"-c statement_timeout={HELIOX_PAGE_SECONDS}s -c lock_timeout={HELIOX_LOCK_SECONDS}s"
os.environ.setdefault("PGOPTIONS", f"{LIMITS} -c jit=off -c max_parallel_workers_per_gather=0")
for database in DATABASES.values():
    if given := database.get("OPTIONS", {}).get("options"):  # beside which libpq forgets the variable
        database["OPTIONS"]["options"] = f"{os.environ['PGOPTIONS']} {given}"

application = typed_plainly(get_wsgi_application())

# What is loaded stays for ever, and a page of many figures makes many objects that all go at its end:
# looking through them so often as Python does by default takes a sixth of a long page's time.
gc.freeze()
gc.set_threshold(50_000, 20, 50)
