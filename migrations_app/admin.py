"""The admin site as a window: every table can be looked at, none can be changed, and no secret is shown.

Signing in there would go round our own door, so it leads to it. It takes the role admin, everywhere.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.db.models import JSONField, TextField
from django.http import Http404, HttpRequest, HttpResponse

from migrations_app.authorize import roles_of
from migrations_app.models import RoleGrant, User

SECRETS_BY_MODEL = {"user": {"password"}, "target": {"secret_sealed"}, "apitoken": {"digest"}}
MOST_COLUMNS = 8


class Window(admin.ModelAdmin):
    """Shows rows and lets nobody change them."""

    actions = None
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_look(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_look(request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self._shown()

    def get_list_display(self, request: HttpRequest) -> list[str]:
        long = {field.name for field in self.model._meta.fields if isinstance(field, JSONField | TextField)}
        return [name for name in self._shown() if name not in long][:MOST_COLUMNS]

    def get_list_select_related(self, request: HttpRequest) -> list[str]:
        return [field.name for field in self.model._meta.fields if field.is_relation]

    def _shown(self) -> list[str]:
        secret = SECRETS_BY_MODEL.get(self.model._meta.model_name, set())
        return [field.name for field in self.model._meta.fields if field.name not in secret]


def may_look(request: HttpRequest) -> bool:
    """Return whether the person has the role admin without a scope: the site knows no projects."""
    user = request.user
    return isinstance(user, User) and RoleGrant.Role.ADMIN in roles_of(user, None)


def to_our_door(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Lead to the sign-in page, which counts wrong passwords; who is signed in already lacks the role."""
    if request.user.is_authenticated:
        raise Http404
    return redirect_to_login(request.GET.get("next", "/admin/"), settings.LOGIN_URL)


def not_here(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    raise Http404


admin.site.site_header = admin.site.site_title = "Lockstep, read-only"
admin.site.enable_nav_sidebar = False
admin.site.has_permission = may_look
admin.site.login = to_our_door
admin.site.password_change = not_here
admin.site.password_change_done = not_here
for model in apps.get_app_config("migrations_app").get_models():
    admin.site.register(model, Window)
