"""What templates need to show values: times, numbers, glyphs and status chips. No queries, no decisions."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString

from migrations_app.charts import rows_for_table
from migrations_app.forms import LABELS
from migrations_app.looks import Look, look_of, looks_as_dict
from migrations_app.policy import phase_title
from migrations_app.words import span
from workers.engine.vocabulary import Phase

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


@register.filter
def phase_words(name: str) -> str:
    """Return a phase's name as people read it."""
    return phase_title(Phase(name))


@register.simple_tag
def strip_mark(status: str) -> SafeString:
    """Draw one phase of the small strip in lists; the strip as a whole has words for those who do not see it."""
    look = look_of("phase", status)
    return format_html('<span class="tone-{}">{}</span>', look.tone, glyph(look.glyph))


@register.filter
def since_request(command: Any, name: str) -> str:
    """Return how long after (or before) its request one of a command's clocks struck; empty where it has not."""
    if not command or not command.get(name):
        return ""
    gap = datetime.fromisoformat(command[name]) - datetime.fromisoformat(command["requested_at"])
    seconds = gap.total_seconds()
    return f"{abs(seconds):.2f} s {'before' if seconds < 0 else 'after'} the request"


@register.filter
def chart_table(figure: Any) -> Any:
    """Return a chart's newest values as rows."""
    return rows_for_table(figure)


@register.filter
def moment_of_ms(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


@register.filter
def as_text(value: Any) -> str:
    """Return a value of a plan's content as one reads it in a comparison."""
    return (
        "–"
        if value is None
        else json.dumps(value, ensure_ascii=False)
        if isinstance(value, dict | list)
        else str(value)
    )


@register.simple_tag
def new_key() -> str:
    """Return a key that makes one press of a button one command, however often it is sent."""
    return uuid.uuid4().hex


@register.filter
def humanised(name: str) -> str:
    return name.replace("_", " ").capitalize()


@register.filter
def setting_label(name: str) -> str:
    """Return what a limit or rule is called in the form."""
    return next((label for path, (label, _, _) in LABELS.items() if path.endswith(f".{name}")), humanised(name))


@register.filter
def setting(value: float, name: str) -> str:
    """Return a limit or rule with its unit."""
    unit = next((unit for path, (_, unit, _) in LABELS.items() if path.endswith(f".{name}")), "")
    return span(value) if unit == "s" and value >= 120 else f"{value:,g} {unit}".strip()


@register.filter
def dashed(name: str) -> str:
    """Return a field's name as its input's id has it."""
    return name.replace(".", "-").replace("_", "-")


RESULT_WORDS = {
    # counter: (words, whether any of it is bad news)
    "rows": ("rows", False),
    "written": ("written", False),
    "out_of_step": ("out of step", True),
    "lossy_old": ("lose their old value", True),
    "lossy_new": ("lose their new value", True),
}


@register.filter
def result_words(result: dict[str, int] | None) -> list[tuple[str, bool]]:
    """Say what a finished phase counted, each with whether it is bad news."""
    counted = [(name, (result or {}).get(name)) for name in RESULT_WORDS]
    return [
        (f"{count:,} {RESULT_WORDS[name][0]}", RESULT_WORDS[name][1] and count > 0)
        for name, count in counted
        if count is not None and (count or name == "out_of_step")
    ]
