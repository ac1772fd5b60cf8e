"""What people can have done from the pages: only by who has the token, from our own pages, and always recorded."""

from __future__ import annotations

import base64
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import msgspec
from aiohttp import web

from parrot_faust.errors import ParrotError
from parrot_faust.web.markup import grid, page, table_path, text

TOKEN_BYTES = 32
SESSION_S = 8 * 3600  # a working day
HEADER = "X-Parrot-Token"

#: The actions, and the page that each belongs to, empty for the page of the table, or the first one for a sink.
ACTIONS = {
    "approve": "/schema", "reject": "/schema", "redrive": "/errors", "discard": "/errors",
    "pause": "", "resume": "", "restart": "",
}  # fmt: skip
_OWN = re.compile(r"/|/schema|/errors|/tables/[^/\\?#]+")


class Doer(Protocol):
    """Does what is asked, and keeps a record of it."""

    async def act(self, action: str, fields: Mapping[str, str], who: str) -> str:
        """Do it and return what came of it in words. Raise ParrotError when it can't be done, or not be recorded."""


class Keyring:
    """The token of one worker, in a file of its state folder that only its own user can read."""

    def __init__(self, folder: Path, port: int) -> None:
        self.file = folder / "web.token"
        self.cookie = f"parrot-{port}"  # cookies do not tell ports apart, and several workers may share a machine
        self._token = ""

    def token(self) -> str:
        """The token, made when it is first asked for."""
        if not self._token:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            try:
                with os.fdopen(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
                    new.write(secrets.token_urlsafe(TOKEN_BYTES))
            except FileExistsError:
                self.file.chmod(0o600)
            self._token = self.file.read_text("utf-8").strip()
        return self._token

    def opens(self, given: str) -> bool:
        """Whether this is the token."""
        return bool(given) and secrets.compare_digest(given.encode(), self.token().encode())

    def known(self, request: web.Request) -> bool:
        """Whether a request comes from who has the token."""
        return self.opens(request.cookies.get(self.cookie, "")) or self.sent(request)

    def sent(self, request: web.Request) -> bool:
        """Whether a request brings the token itself: in our header, or as a password, with any name."""
        return self.opens(request.headers.get(HEADER, "")) or self.opens(login(request)[1])


def login(request: web.Request) -> tuple[str, str]:
    """Name and password of a request with basic authentication, empty without one."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    try:
        name_and_password = base64.b64decode(given, validate=True).decode() if scheme.lower() == "basic" else ""
    except ValueError:
        return "", ""
    name, _, password = name_and_password.partition(":")
    return name, password


def from_our_pages(request: web.Request) -> bool:
    """Whether a request is not another site's doing.

    A browser names the page that a POST comes from. What is no browser's has no such name, and then it needs the
    header, which no other site's page can set.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        return HEADER in request.headers
    return origin in (f"http://{request.host}", f"https://{request.host}")


def sign_in_page(view: Mapping[str, Any], file: Path, back: str, *, wrong: bool) -> str:
    """Where the token is asked for."""
    again = '<p class="bad" role="alert">That is not the token.</p>' if wrong else ""
    parts = f"""<section><h2>Who may act</h2><p>Whoever can read the worker's token may approve schema changes, pause
tables and stores, and send dead letters again from here. It is in
<code>{text(file)}</code> on the worker's machine.</p>{again}</section>
<form class="sign-in" method="post" action="/sign-in"><input type="hidden" name="back" value="{text(back)}">
<label>Token <input name="token" type="password" autocomplete="off" required></label><button>Sign in</button></form>"""
    return page("Sign in", "", dict(view), parts, live=False)


def done_page(view: Mapping[str, Any], action: str, fields: Mapping[str, str], words: str, back: str) -> str:
    """What came of an action."""
    rows = [[text(name), text(value)] for name, value in fields.items()]
    parts = f"""<section><p>{text(words)}</p>{grid(["what", action], rows, "", (0, 1))}
<p><a href="{back}">back</a></p></section>"""
    return page(f"{action.capitalize()}", "", dict(view), parts, live=False)


def register(
    router: Any, keys: Keyring, doer: Doer, common: Callable[[], Awaitable[Mapping[str, Any]]], log: Any
) -> None:
    """Add the routes. `common` gives what every page shows."""

    async def ask(request: web.Request) -> web.Response:
        keys.token()
        back = _page(request.query.get("back", "/"))
        return _html(sign_in_page(await common(), keys.file, back, wrong=False))

    async def sign_in(request: web.Request) -> web.Response:
        fields = await request.post()
        back = _page(str(fields.get("back", "/")))
        if not from_our_pages(request):
            raise web.HTTPForbidden(text="this came from another site")
        if not keys.opens(str(fields.get("token", ""))):
            log.warning("web view: somebody at %s tried a wrong token", request.remote)
            return _html(sign_in_page(await common(), keys.file, back, wrong=True), 403)
        response = web.Response(status=303, headers={"Location": back})
        secure = request.headers["Origin"].startswith("https:") if "Origin" in request.headers else False
        response.set_cookie(
            keys.cookie, keys.token(), max_age=SESSION_S, httponly=True, samesite="Strict", secure=secure
        )
        return response

    async def act(request: web.Request) -> web.Response:
        action = request.match_info["action"]
        if action not in ACTIONS:
            raise web.HTTPNotFound(text="there is no such action")
        if not from_our_pages(request):
            raise web.HTTPForbidden(text="this came from another site")
        if not keys.known(request):
            raise web.HTTPForbidden(text=f"sign in first, or send the token as {HEADER}")
        fields = {name: str(value) for name, value in (await request.post()).items()}
        try:
            words, status = await doer.act(action, fields, request.remote or ""), 200
        except ParrotError as error:
            words, status = str(error), 409
        back = ACTIONS[action] or _page("/" if "sink" in fields else table_path(fields.get("table", "")))
        if "application/json" in request.headers.get("Accept", ""):
            body = msgspec.json.encode({"action": action, "done": status == 200, "words": words})
            return web.Response(body=body, status=status, content_type="application/json")
        return _html(done_page(await common(), action, fields, words, back), status)

    router.add_get("/sign-in", ask)
    router.add_post("/sign-in", sign_in)
    router.add_post("/actions/{action}", act)


def button(action: str, label: str, fields: Mapping[str, str]) -> str:
    """A form of one button that has something done."""
    hidden = "".join(
        f'<input type="hidden" name="{text(name)}" value="{text(value)}">' for name, value in fields.items()
    )
    return f'<form method="post" action="/actions/{action}">{hidden}<button>{text(label)}</button></form>'


def careful(label: str, does: str) -> str:
    """A button that is only there once somebody has opened its lid."""
    return f"<details><summary>{text(label)}</summary>{does}</details>"


def sign_in_link(back: str, what: str = "do it here") -> str:
    """Where buttons would be for who has the token."""
    return f'<a href="/sign-in?back={quote(back, safe="")}">sign in to {what}</a>'


def _page(path: str) -> str:
    """One of our own pages, whatever was asked for."""
    return path if _OWN.fullmatch(path) else "/"


def _html(body: str, status: int = 200) -> web.Response:
    return web.Response(text=body, status=status, content_type="text/html")
