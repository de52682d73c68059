"""The page that shows the API's description, from files of our own and under the same Content-Security-Policy."""

from __future__ import annotations

from drf_spectacular.views import SpectacularSwaggerSplitView


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI with its script and styles in files, since inline ones are forbidden."""

    template_name = "api/docs.html"
    title = "Lockstep API"
