"""A list of jobs, fifty to a page: with Django alone, and with django-tables2 and django-filter."""

from importlib.util import find_spec

from django.views.generic import ListView

from .models import Job


class PlainList(ListView):
    queryset = Job.objects.select_related("team")
    ordering = "-start_time"
    paginate_by = 50
    template_name = "list.html"


if find_spec("django_tables2") and find_spec("django_filters"):
    import django_filters
    import django_tables2
    from django_filters.views import FilterView

    class JobTable(django_tables2.Table):
        class Meta:
            model = Job

    class JobFilter(django_filters.FilterSet):
        class Meta:
            model = Job
            fields = ("team", "provider", "gpu_type", "status", "model_name", "start_time")

    class FilteredTable(django_tables2.SingleTableMixin, FilterView):
        queryset = Job.objects.select_related("team").order_by("-start_time")
        table_class = JobTable
        filterset_class = JobFilter
        paginate_by = 50
        template_name = "table.html"
