"""Somebody who looks at the web view with a browser, and notes all that must not happen meanwhile."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, WebError, expect

WAIT_MS = 60_000  # for what comes by itself; a worker on a busy machine takes its time
LOUD = ("error", "warning")


class Visitor:
    """A browser's window with a profile of its own. `faults` are errors of pages and requests to elsewhere."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self._host = urlsplit(address).netloc
        self.context = browser.new_context(base_url=address, **options)
        self.context.set_default_timeout(WAIT_MS)
        self.faults: list[str] = []
        self.context.on("console", self._console)
        self.context.on("weberror", self._error)
        self.context.on("request", self._request)
        self.context.on("dialog", self._dialog)
        self.page: Page = self.context.new_page()

    def open(self, path: str) -> Page:
        """Go to a page, as somebody does who types its address."""
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == 200, f"{path} answers {answer.status}: {answer.text()}"
        return self.page

    def sign_in(self, token: str, back: str = "/") -> Page:
        """Give the token, and come back to a page."""
        page = self.open(f"/sign-in?back={quote(back, safe='')}")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(re.compile(re.escape(back) + "$"))
        return page

    def close(self) -> None:
        """Close the window."""
        self.context.close()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in LOUD:
            self.faults.append(f"{self.page.url}: console: {message.text}")

    def _error(self, error: WebError) -> None:
        self.faults.append(f"{self.page.url}: a script failed: {error.error}")

    def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"{self.page.url}: a script asks {dialog.message!r}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != self._host:
            self.faults.append(f"{self.page.url}: asks {request.url}")
