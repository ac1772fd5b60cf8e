"""A client of a worker's web server, who has the token or not, and a stand-in for what is then done."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from parrot_faust.application import ParrotApp
from parrot_faust.errors import ParrotError
from parrot_faust.web.actions import Keyring


class Doer:
    def __init__(self) -> None:
        self.done: list[tuple[str, dict[str, str]]] = []
        self.error: ParrotError | None = None

    async def act(self, action: str, fields: Mapping[str, str], who: str) -> str:
        if self.error:
            raise self.error
        self.done.append((action, dict(fields)))
        return "<b>done</b>"


def own(client: aiohttp.ClientSession) -> dict[str, str]:
    return {"Origin": str(client._base_url).rstrip("/")}


def token(app: ParrotApp) -> str:
    return Keyring(app.parts.settings.state, 1).token()
