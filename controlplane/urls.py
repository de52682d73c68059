"""The routes: pages at the root, the public API under /api/, its description under /api/schema/."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("api/", include("migrations_app.api.urls")),
    path("admin/", admin.site.urls),
    path("", include("migrations_app.urls")),
]
