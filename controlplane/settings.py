"""Reads the environment once. Every number carries its unit in its name; docs/reference/settings.md explains each."""

from pathlib import Path

import environ
import structlog
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# The process and its secrets.
SECRET_KEY = env.str("LOCKSTEP_SECRET_KEY")
DEBUG = env.bool("LOCKSTEP_DEBUG", False)
ALLOWED_HOSTS = env.list("LOCKSTEP_ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS = env.list("LOCKSTEP_TRUSTED_ORIGINS", default=[])
LOCKSTEP_HTTPS = env.bool("LOCKSTEP_HTTPS", False)
LOCKSTEP_DEMO = env.bool("LOCKSTEP_DEMO", False)
LOCKSTEP_SEAL_KEY_FILE = env.str("LOCKSTEP_SEAL_KEY_FILE", "")
LOCKSTEP_SECRET_DIR = env.str("LOCKSTEP_SECRET_DIR", "/run/secrets")
LOCKSTEP_SECRET_ENV_PREFIX = env.str("LOCKSTEP_SECRET_ENV_PREFIX", "LOCKSTEP_TARGET_")

# Pace of the machinery.
LOCKSTEP_SLICE_S = env.float("LOCKSTEP_SLICE_S", 20.0)  # a Celery task gives its worker back after this
LOCKSTEP_LEASE_S = env.float("LOCKSTEP_LEASE_S", 15.0)  # a silent worker is replaced after this
LOCKSTEP_LOCK_TIMEOUT_S = env.float("LOCKSTEP_LOCK_TIMEOUT_S", 0.2)  # longest that our DDL queues in front of others
LOCKSTEP_STATEMENT_TIMEOUT_S = env.float("LOCKSTEP_STATEMENT_TIMEOUT_S", 2.0)  # a batch that takes longer is halved
LOCKSTEP_PREFLIGHT_S = env.float("LOCKSTEP_PREFLIGHT_S", 60.0)  # longest that one preflight count may take
LOCKSTEP_REAUTHENTICATE_S = env.float(
    "LOCKSTEP_REAUTHENTICATE_S", 300.0
)  # a password this fresh for rollback, contract
LOCKSTEP_SOCKET_CHECK_S = env.float("LOCKSTEP_SOCKET_CHECK_S", 30.0)  # a socket's permission is looked up again

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "csp",
    "migrations_app",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
]
ROOT_URLCONF = "controlplane.urls"
ASGI_APPLICATION = "controlplane.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Stores. The control database is pooled: persistent connections leak under ASGI.
DATABASES = {"default": env.db("LOCKSTEP_DATABASE_URL", engine="django.db.backends.postgresql")}
DATABASES["default"] |= {"CONN_MAX_AGE": 0}
DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": 12, "timeout": 10}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.str("LOCKSTEP_REDIS_URL")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "lockstep"},
    }
}

# Celery: hints only. Visibility is irrelevant for a task of 20 s, and set so that no redelivery is ever long.
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_TIME_LIMIT = 120
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_timeout": 5, "socket_connect_timeout": 2}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "control"
CELERY_TASK_ROUTES = {"workers.advance_run": {"queue": "lanes"}}
CELERY_TASK_ALWAYS_EAGER = env.bool("LOCKSTEP_CELERY_EAGER", False)
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# People and sessions.
AUTH_USER_MODEL = "migrations_app.User"
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LOCKSTEP_HTTPS
SECURE_SSL_REDIRECT = LOCKSTEP_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if LOCKSTEP_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = LOCKSTEP_HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = env.str("LOCKSTEP_STATIC_ROOT", str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # a clone serves its pages without collectstatic

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000  # bytes of a request's body
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "migrations_app.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "migrations_app.api.errors.problem",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lockstep",
    "DESCRIPTION": "Plans, approvals, runs and targets of expand/contract migrations.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "PlanStatus": "migrations_app.api.shapes.PLAN_STATUSES",
        "PhaseStatus": "migrations_app.api.shapes.PHASE_STATUSES",
        "RunStatus": "migrations_app.api.shapes.RUN_STATUSES",
        "PhaseName": "migrations_app.api.shapes.PHASE_NAMES",
        "Direction": "migrations_app.api.shapes.DIRECTIONS",
    },
}

# Logs: one JSON line per fact; django.db.backends stays silent, since its lines hold parameters.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": [
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.stdlib.ExtraAdder(),
            ],
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": env.str("LOCKSTEP_LOG_LEVEL", "INFO")},
    "loggers": {"django.db.backends": {"level": "ERROR"}},
}
