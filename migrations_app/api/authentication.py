"""How a program says who it is: `Authorization: Bearer <token>`. People come with the session of the sign-in page."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from migrations_app.models import ApiToken, User
from migrations_app.services.sign_ins import REAUTHENTICATED_AT
from migrations_app.services.tokens import is_valid, token_digest

KEYWORDS = (b"bearer", b"token")
"""`Token` is what clients of Django APIs are used to; it means the same."""


class TokenAuthentication(BaseAuthentication):
    """Accepts a token of `POST /api/tokens/` that has not expired and was not revoked."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() not in KEYWORDS:
            return None
        text = parts[1].decode("latin-1") if len(parts) == 2 else ""
        token = ApiToken.objects.filter(digest=token_digest(text)).select_related("user").first()
        if token is None or not is_valid(token, timezone.now()):
            raise AuthenticationFailed("This token is unknown, expired or revoked.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="lockstep"'


class TokenScheme(OpenApiAuthenticationExtension):
    """Describes it to readers of the schema."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token from POST /api/tokens/."}


def reauthenticated_at(request: Request) -> float | None:
    """Return when the person behind this session gave the password, in epoch seconds; None for a program."""
    if not isinstance(request.successful_authenticator, SessionAuthentication):
        return None
    return request.session.get(REAUTHENTICATED_AT)


def address_of_peer(request: Request) -> str:
    """Return the peer's own address; a header that it sent could say anything."""
    return str(request.META.get("REMOTE_ADDR", ""))
