"""The routes: pages at the root, the public API under /api/, and what machines watch us by."""

from django.contrib import admin
from django.urls import include, path

from migrations_app.api import watch

urlpatterns = [
    path("health", watch.health),
    path("metrics", watch.metrics),
    path("api/", include("migrations_app.api.urls")),
    path("admin/", admin.site.urls),
    path("", include("migrations_app.urls")),
]
