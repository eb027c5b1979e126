"""The reports of a site's runs on its own pages: to read only, behind the same password, each shut in by itself."""

import hmac
from base64 import b64decode
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A report holds all that it shows. Its scripts run without an origin: they cannot use the login of Prefect's pages.
POLICY = "sandbox allow-scripts allow-downloads allow-popups; default-src data: blob: 'unsafe-inline'"


class Reports:
    """The files of a folder; ``login`` is USER:PASSWORD, or empty where only this machine can ask."""

    def __init__(self, folder: Path, login: str) -> None:
        self.files: ASGIApp = StaticFiles(directory=folder, check_dir=False)
        self.login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not _knows(Headers(scope=scope).get("authorization", ""), self.login):
            asked = {"WWW-Authenticate": 'Basic realm="ai4s reports", charset="UTF-8"'}
            answer: ASGIApp = PlainTextResponse("Log in to see reports.", 401, headers=asked)
        elif any(part.startswith(".") for part in scope["path"].split("/")):
            answer = PlainTextResponse("Not Found", 404)
        else:
            answer = self.files

        async def shut_in(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Cache-Control"] = "private, no-cache"
            await send(message)

        await answer(scope, receive, shut_in)


def _knows(header: str, login: str) -> bool:
    if not login:
        return True
    kind, _, told = header.partition(" ")
    try:
        given = b64decode(told, validate=True)
    except ValueError:
        return False
    return kind.lower() == "basic" and hmac.compare_digest(given, login.encode())
