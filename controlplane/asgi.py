"""HTTP and the one WebSocket route: /feed/plans/<id>/, which accepts a session and no commands."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
http = get_asgi_application()

from migrations_app.consumers import PlanFeed  # noqa: E402  (models must be loaded first)

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter([path("feed/plans/<int:plan_id>/", PlanFeed.as_asgi())]))
        ),
    }
)
