"""Signing in by API, and the tokens of programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import login, logout
from django.http import Http404
from django.middleware.csrf import get_token
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api import serializers, shapes
from migrations_app.api.authentication import address_of_peer, reauthenticated_at
from migrations_app.api.base import ApiView
from migrations_app.dispatch import publish_session_end
from migrations_app.models import ApiToken, User
from migrations_app.selectors.moments import iso
from migrations_app.services.runs import is_reauthenticated
from migrations_app.services.sign_ins import REAUTHENTICATED_AT, password_check, sign_in_check
from migrations_app.services.tokens import token_issue, token_revoke


class SessionView(ApiView):
    """The session of a person: `POST` opens one, or proves again who is behind the present one."""

    def get_permissions(self) -> list[Any]:
        return [AllowAny()] if self.request.method == "POST" else [IsAuthenticated()]

    @extend_schema(operation_id="session_get", responses=shapes.Session, tags=["session"])
    def get(self, request: Request) -> Response:
        """Say who you are and what you may do where."""
        return Response(_session(request, request.user))

    @extend_schema(
        operation_id="session_open",
        request=serializers.SignIn,
        responses={201: shapes.Session},
        auth=[],
        tags=["session"],
    )
    def post(self, request: Request) -> Response:
        """Sign in with name and password; sets the session's cookie. Ten wrong tries in five minutes, then 429."""
        body = self.body(serializers.SignIn)
        user = sign_in_check(body["username"], body["password"], address=address_of_peer(request))
        login(request._request, user)
        request.session[REAUTHENTICATED_AT] = timezone.now().timestamp()
        return Response(_session(request, user), status=201)

    @extend_schema(operation_id="session_end", responses={204: None}, tags=["session"])
    def delete(self, request: Request) -> Response:
        """Sign out; the sockets that the session opened end as well."""
        key = request.session.session_key
        logout(request._request)
        if key:
            publish_session_end(key)
        return Response(status=204)


class TokensView(ApiView):
    """Your own tokens."""

    @extend_schema(operation_id="token_list", responses=shapes.Token(many=True), tags=["session"])
    def get(self, request: Request) -> Response:
        """List your tokens, without the tokens themselves."""
        return Response([_token(token) for token in request.user.api_tokens.order_by("-id")])

    @extend_schema(
        operation_id="token_issue", request=serializers.TokenWish, responses={201: shapes.IssuedToken}, tags=["session"]
    )
    def post(self, request: Request) -> Response:
        """Issue a token for a program. It is shown this once; it acts as you, with your roles."""
        body = self.body(serializers.TokenWish)
        password_check(
            request.user,
            password=body.get("password", ""),
            reauthenticated_at=reauthenticated_at(request),
            address=address_of_peer(request),
        )
        token, text = token_issue(request.user, body["name"], days=body["days"])
        return Response(_token(token) | {"token": text}, status=201)


class TokenView(ApiView):
    """One of your tokens."""

    @extend_schema(operation_id="token_revoke", responses=shapes.Token, tags=["session"])
    def delete(self, request: Request, token_id: int) -> Response:
        """Revoke it; it is worthless from now on."""
        token = request.user.api_tokens.filter(pk=token_id).first()
        if token is None:
            raise Http404
        return Response(_token(token_revoke(token, actor=request.user)))


def _session(request: Request, user: User) -> dict[str, Any]:
    at = request.session.get(REAUTHENTICATED_AT)
    fresh = is_reauthenticated(at, timezone.now().timestamp())
    until = datetime.fromtimestamp(at + settings.LOCKSTEP_REAUTHENTICATE_S, UTC) if at and fresh else None
    return {
        "user": {"id": user.pk, "name": user.display_name},
        "username": user.username,
        "roles": [
            {"role": grant.role, "project": grant.project, "environment": grant.environment}
            for grant in user.role_grants.all()
        ],
        "reauthenticated_until": iso(until),
        "csrf_token": get_token(request._request),
    }


def _token(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.pk,
        "name": token.name,
        "created_at": iso(token.created_at),
        "expires_at": iso(token.expires_at),
        "revoked_at": iso(token.revoked_at),
    }
