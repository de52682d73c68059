"""What templates need to show values: times, numbers, glyphs and status chips. No queries, no decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString

from migrations_app.looks import Look, look_of, looks_as_dict
from migrations_app.words import span

register = template.Library()


@register.simple_tag
def moment(value: datetime | str | None, absent: str = "never") -> SafeString | str:
    """Show a moment relative to now, and the UTC time on hover; the page's script keeps it going."""
    if not value:
        return absent
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    stamp = at.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC" data-relative>{}</time>',
        stamp.isoformat().replace("+00:00", "Z"),
        stamp.strftime("%Y-%m-%d %H:%M:%S"),
        ago(at, timezone.now()),
    )


def ago(at: datetime, now: datetime) -> str:
    """Return `14 s ago`, `in 3 min` or `now`; static/js/times.js says it in the same words."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


@register.filter
def grouped(value: float | None) -> str:
    """Return a number with thousands apart: `12,345`; at most one digit behind the point for small ones."""
    if value is None or value == "":
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:,.1f}"


@register.filter
def duration(seconds: float | None) -> str:
    return "–" if seconds is None else span(seconds)


@register.simple_tag
def glyph(name: str) -> SafeString:
    """Draw a symbol of the sprite. It says nothing to a screen reader: words stand beside it."""
    return format_html(
        '<svg class="glyph glyph-{}" aria-hidden="true" focusable="false"><use href="#g-{}"></use></svg>', name, name
    )


@register.simple_tag
def chip(kind: str, status: str, bind: str = "") -> SafeString:
    """Show a status as shape, words and colour; `bind` names the value of the live page that it follows."""
    return look_chip(look_of(kind, status), f"{kind}:{bind}" if bind else "")


@register.simple_tag
def look_chip(look: Look, bind: str = "") -> SafeString:
    return format_html(
        '<span class="chip tone-{}"{}>{}<span>{}</span></span>',
        look.tone,
        format_html(' data-chip="{}"', bind) if bind else "",
        glyph(look.glyph),
        look.words,
    )


@register.filter
def initials(name: str) -> str:
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()


@register.simple_tag
def looks_script() -> SafeString:
    """Hand the table of looks to the page's scripts."""
    return json_script(looks_as_dict(), "looks")


@register.filter
def part(mapping: Any, key: Any) -> Any:
    """Look a key up that is a variable."""
    return mapping.get(key) if hasattr(mapping, "get") else None
