"""Tables that another tool created get the defaults, types, indexes and cascades that 0001 describes."""

from django.db import migrations

from dashboard.schema import adopt


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0001_the_four_entities")]

    operations = [migrations.RunPython(adopt, migrations.RunPython.noop)]
