from django.urls import path

from . import views

urlpatterns = [path("plain/", views.PlainList.as_view())]
if hasattr(views, "FilteredTable"):
    urlpatterns.append(path("tables/", views.FilteredTable.as_view()))
