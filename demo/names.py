"""The names that the demo's table holds and its applications write: the same on every machine, awkward on purpose.

Every row says itself what its name must be: `name_at(email, version)`. So whoever reads a row, with either version of
the application, can tell whether the write that made it still stands, without asking who wrote it.
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

FIRST_NAMES = (
    *("Ada", "Amélie", "Björn", "Chloé", "Dwayne", "Edsger", "Fatima", "Grace", "Håkon", "İpek", "Jürgen", "Kōji"),
    *("Łukasz", "María", "Nguyễn", "Olumide", "Priya", "Quentin", "Rosalía", "Søren", "Tadeáš", "Ursula", "Věra"),
    *("Wangari", "Xiomara", "Yusuf", "Zoë", "Анна", "Γιώργος", "伟", "さくら", "देविका", "O'Neil", "Zoe\u0308"),
)
LAST_NAMES = (
    *("Lovelace", "Nilsson", "García Márquez", "Dijkstra", "van der Berg", "Hopper", "Müller", "d'Arc", "Yıldız"),
    *("Kowalski", "Nowak-Szczepańska", "de la Cruz", "Okafor", "Sharma", "李", "Иванова", "Παπαδόπουλος", "Ødegård"),
    *("Šimůnek", "Mendoza", "Al-Farsi", "Ng", "O'Brien", "Smith Jr.", "🚀 Tester", "Hernández", "Kim", "Dvořák"),
)
ONE_WORD = 12  # one written name in so many has no last name


class Parts(NamedTuple):
    """What the new columns hold for one name; None is NULL."""

    first: str | None
    last: str | None


def split(name: str | None) -> Parts:
    """Return the parts as the plan's mapping has it: before the first blank, and the rest or NULL."""
    if name is None:
        return Parts(None, None)
    first, blank, rest = name.partition(" ")
    return Parts(first, rest if blank else None)


def join(parts: Parts) -> str | None:
    """Return the name that the parts came from."""
    if parts.first is None or parts.last is None:
        return parts.first
    return f"{parts.first} {parts.last}"


def loaded_email(number: int) -> str:
    return f"user{number}@shop.example"


def loaded_name(number: int) -> str | None:
    """Return the name with which row `number` is loaded."""
    draw = number * 2_654_435_761 % 2**32  # Knuth's multiplier: neighbours differ, and no seed has to be kept
    first = FIRST_NAMES[draw % len(FIRST_NAMES)]
    last = LAST_NAMES[(draw >> 8) % len(LAST_NAMES)]
    match (draw >> 16) % 100:
        case 0 | 1:
            return None
        case 2:
            return ""
        case 3:
            return f"{first} "
        case 4:
            return f" {last}"
        case 5:
            return f"{first}  {last}"
        case percent if percent < 16:
            return first
        case percent if percent < 32:
            return f"{first} {FIRST_NAMES[(draw >> 12) % len(FIRST_NAMES)]} {last}"
    return f"{first} {last}"


def name_at(email: str, version: int) -> str | None:
    """Return the name of the row with this address in this version; 0 is the loaded one.

    Odd versions change the last name only, even ones change both: a new version of the application that writes one
    part alone is the case in which a careless sync destroys the other part. Two versions that follow each other never
    have the same name.
    """
    number = _loaded_number(email)
    if version == 0:
        return loaded_name(number) if number else None
    draw = crc32(email.encode())
    first = FIRST_NAMES[(draw + version // 2) % len(FIRST_NAMES)]
    if version == 1 and number:
        first = split(loaded_name(number)).first or first
    before = split(loaded_name(number)).last if version == 1 and number else None
    last = LAST_NAMES[(draw // 64 + version) % len(LAST_NAMES)]
    if last == before:
        last = LAST_NAMES[(draw // 64 + 7) % len(LAST_NAMES)]
    is_one_word = (draw // 4096 + version) % ONE_WORD == 0 and version % 2 == 0
    return first if is_one_word else f"{first} {last}"


def _loaded_number(email: str) -> int:
    """Return the number of a loaded row, or 0 for a row that an application added."""
    local, _, domain = email.partition("@")
    number = local.removeprefix("user")
    return int(number) if domain == "shop.example" and local.startswith("user") and number.isdigit() else 0
