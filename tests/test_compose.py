"""docker-compose.yml says the same as the code: its variables are settings, its commands and queues exist.

No container is started: there need be no Docker engine where the tests run.
"""

import re
from pathlib import Path

import pytest
import yaml

CLONE = Path(__file__).resolve().parent.parent
TEXT = (CLONE / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "lockstep"}
SETTINGS = (CLONE / "controlplane" / "settings.py").read_text()
STORE_PASSWORDS = {"LOCKSTEP_DATABASE_PASSWORD", "LOCKSTEP_REDIS_PASSWORD"}


def test_every_part_of_lockstep_is_a_service():
    assert set(SERVICES) == {
        "control",
        "redis",
        "tables",
        "web",
        "worker-control",
        "worker-lanes",
        "supervisor",
    }


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_given_is_a_setting(name):
    variables = set(OURS[name]["environment"]) - {"DJANGO_SETTINGS_MODULE"}

    assert [variable for variable in variables if f'"{variable}"' not in SETTINGS] == []


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_required_setting_is_given(name):
    required = set(re.findall(r'env\.\w+\("(\w+)"(?:, engine=\S+)?\)', SETTINGS))

    assert required - set(OURS[name]["environment"]) == set()


def test_every_variable_to_be_filled_in_is_a_setting_or_a_store_password():
    variables = set(re.findall(r"\$\{(\w+)", TEXT))

    assert [name for name in variables - STORE_PASSWORDS if f'"{name}"' not in SETTINGS] == []


def test_a_secret_that_is_not_set_stops_the_start():
    secrets = {"LOCKSTEP_SECRET_KEY", *STORE_PASSWORDS}

    assert all(f"${{{name}:?" in TEXT for name in secrets)
    assert not any(re.search(rf"\$\{{{name}\}}", TEXT) for name in secrets)


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"tables"}))
def test_every_service_that_stays_up_says_whether_it_is_well(name):
    assert SERVICES[name]["healthcheck"]["test"]


def test_the_workers_take_from_every_queue_that_is_written_to():
    written = set(re.findall(r'"queue": "(\w+)"', SETTINGS)) | set(re.findall(r'DEFAULT_QUEUE = "(\w+)"', SETTINGS))
    parts = [part.removeprefix("--queues=") for service in OURS.values() for part in service["command"]]
    taken = {part for part in parts if part in written}

    assert taken == written


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_management_command_exists(name):
    command = OURS[name]["command"]
    if "manage.py" in command:
        named = command[command.index("manage.py") + 1]
        assert named == "migrate" or (CLONE / "migrations_app" / "management" / "commands" / f"{named}.py").exists()


def test_the_image_holds_every_package_that_the_services_run():
    dockerfile = (CLONE / "Dockerfile").read_text()
    ignored = (CLONE / ".dockerignore").read_text()

    for package in ("controlplane", "migrations_app", "workers", "templates", "static"):
        assert f"COPY {package} {package}" in dockerfile
        assert f"!{package}" in ignored


def test_nothing_but_the_web_server_is_published_and_that_on_this_machine_only():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {"web": ["127.0.0.1:8000:8000"]}
