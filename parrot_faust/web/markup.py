"""Pieces of pages. Every value that comes from outside goes through `text`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import quote

#: What a link from a trouble to a page is called; others lead to a table.
_LINKS = {"/": "see the stores", "/schema": "decide here", "/quality": "see the results"}
PAGES = (
    ("/", "Tables"),
    ("/quality", "Quality"),
    ("/schema", "Schema"),
    ("/errors", "Errors"),
    ("/agents", "Agents"),
    ("/cluster", "Cluster"),
)

_OPTION = re.compile(r"(?<= )--[a-z-]+")


def text(value: object) -> str:
    """A value as text of a page."""
    return escape(str(value))


def span(seconds: float) -> str:
    """A length of time in the two units that matter."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def ago(seconds: float) -> str:
    """How long ago something was."""
    return "now" if seconds < 1 else f"{span(seconds)} ago"


def clock(at_ms: float) -> str:
    """A moment, in UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}" if at_ms else "–"


def rate(value: float) -> str:
    """Changes a second."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0") if value else "0"


def share(part: float, whole: float) -> str:
    """A part of a whole in percent, empty when there is none of it."""
    percent = 100 * part / whole if whole else 0.0
    return "" if not part else "<0.1 %" if percent < 0.1 else f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def number(value: int, kind: str = "") -> str:
    """A count; one that is not 0 is marked with `kind`."""
    return f'<b class="{kind}">{value:,}</b>' if value and kind else f"{value:,}"


def mark(kind: str, words: str) -> str:
    """A state in words with its sign, so that colour is not all that tells it."""
    quoted = f'"{kind}"' if " " in kind else kind  # there is one in each line
    return f"<span class={quoted}>{text(words)}</span>"


def table_path(table: str) -> str:
    """Where a table's page is."""
    return f"/tables/{quote(table, safe='')}"


def table_link(table: str) -> str:
    """A table's name, leading to its page."""
    return f'<a href="{table_path(table)}">{text(table)}</a>'


def grid(headers: Sequence[str], rows: Sequence[Sequence[str]], empty: str, words: Sequence[int] = (0,)) -> str:
    """A table. Columns at the positions `words` hold words, the others numbers. Cells are HTML.

    End tags that HTML does not need are left out: with many tables they would be half of a page.
    """
    if not rows:
        return f'<p class="empty">{empty}</p>'
    kind = [" class=w" if place in words else "" for place in range(len(headers))]
    head = "".join(f"<th{kind[place]}>{text(name)}" for place, name in enumerate(headers))
    body = "".join("\n<tr>" + "".join(f"<td{kind[place]}>{cell}" for place, cell in enumerate(row)) for row in rows)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</thead><tbody>{body}</tbody></table></div>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values. Values are HTML."""
    return "<dl>" + "".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in pairs) + "</dl>"


def command(line: str) -> str:
    """A command to run. Its options do not break at their hyphens."""
    whole = _OPTION.sub(r"<span>\g<0></span>", text(line))
    return f"<code>{whole}</code>"


def listed(
    view: Mapping[str, Any],
    name: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    empty: str,
    words: Sequence[int] = (0,),
) -> str:
    """The grid of a list of which `view` has a part (`paging.cut`), and where the rest of it is."""
    return with_rest(view, name, grid(headers, rows, empty, words))


def with_rest(view: Mapping[str, Any], name: str, shown: str) -> str:
    """The lines of a list of which `view` has a part, which are HTML, and where the rest of it is."""
    part, count = view["lists"][name], len(view[name] or ())
    if part["all"] and not count:
        return f'<p class="empty">all {part["all"]:,} are in <a href="{text(part["before"])}">the parts before</a></p>'
    links = [
        f'<a href="{text(part[where])}">{label}</a>'
        for where, label in (("before", "the ones before"), ("next", "the next ones"))
        if part[where] and count
    ]
    if not links:
        return shown
    place = f"{part['first']:,} to {part['first'] + count - 1:,} of {part['all']:,}"
    return f'{shown}<p class="about">{", ".join((place, *links))}</p>'


def banner(view: Mapping[str, Any]) -> str:
    """What needs a person: what it is, since when, and what to run."""
    troubles, part, now = view["troubles"], view["lists"]["troubles"], view["at"]
    if not troubles:
        return ""
    lines = "".join(
        f"<li><b>{text(each['what'])}</b> {text(each['words'])}"
        + (f" <i>since {span(now - each['since'])}</i>" if each["since"] else "")
        + _cure(each)
        for each in troubles
    )
    if part["left_out"]:
        lines += f'<li><b>and {part["left_out"]:,} more</b>: <a href="{text(part["next"])}">the next ones</a>'
    return f'<div class="banner" role="status"><ul>{lines}</ul></div>'


def _cure(trouble: dict[str, Any]) -> str:
    """What to run, and the page that shows more or where it can be done."""
    link = f'<a href="{trouble["page"]}">{_LINKS.get(trouble["page"], "see the table")}</a>' if trouble["page"] else ""
    parts = [part for part in (command(trouble["command"]) if trouble["command"] else "", link) if part]
    return f"<p>{' '.join(parts)}</p>" if parts else ""


def page(title: str, path: str, view: dict[str, Any], parts: str, *, live: bool = True) -> str:
    """A whole page. `view` holds what every page shows: the app, how it stands, what needs a person.

    What answers to something that was sent is not `live`: it is said once and can't be asked for again.
    """
    links = "".join(
        f'<a href="{target}"{" aria-current=page" if target == path else ""}>{name}</a>' for target, name in PAGES
    )
    standing = view["standing"]
    script = '\n<script src="/live.js" defer></script>' if live else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)} - Parrot Faust</title>
<link rel="icon" href="/icon.svg"><link rel="stylesheet" href="/style.css">{script}</head><body>
<a class="skip" href="#main">to the content</a>
<header class="top"><p class="name">Parrot Faust <small>{text(view["app"])}</small></p>
<nav aria-label="pages">{links}</nav></header>
<main id="main"><header><h1>{text(title)}</h1>{mark(f"pill {standing['kind']}", standing["words"])}
<p class="about">{text(view["about"])}</p></header>
<section>{banner(view)}</section>
{parts}</main></body></html>"""
