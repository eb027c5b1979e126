"""A real headless browser, driven by its own protocol: no driver to install."""

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

# The innermost element with this text that can be seen.
# What the page was refused is told when a test fails: the page itself only says that something went wrong.
REFUSED = """
window.refused = [];
const send = XMLHttpRequest.prototype.send;
XMLHttpRequest.prototype.send = function (...given) {
  this.addEventListener("loadend", () => {
    if (this.status < 200 || this.status > 399)
      window.refused.push([this.status, this.responseURL, String(this.responseText).slice(0, 300)].join(" "));
  });
  return send.apply(this, given);
};
"""
BY_TEXT = """(text, kinds) => [...document.querySelectorAll(kinds)].filter(
    e => (e.innerText || '').trim().startsWith(text) && e.getClientRects().length && !e.disabled).pop()"""


class Page:
    """One page of the browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)

    def send(self, method: str, **parameters: Any) -> Any:
        """One command of the protocol and its answer."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._socket.recv(timeout=120))
            if told.get("id") == number:
                assert "error" not in told, (method, told)
                return told["result"]

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def go(self, url: str) -> None:
        """Open an address."""
        self.send("Page.navigate", url=url)

    @property
    def text(self) -> str:
        """All that can be read."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def until(self, words: str, limit_s: float = 120) -> None:
        """Wait until something can be read."""
        self.until_true(f"(document.body?.innerText || '').includes({json.dumps(words)})", limit_s, words)

    def until_true(self, script: str, limit_s: float = 120, what: str = "") -> None:
        """Wait until a JavaScript expression holds."""
        end = time.monotonic() + limit_s
        while not self.run(script):
            assert time.monotonic() < end, (
                f"{what or script}: not on the page:\n{self.text}\n{self.run('window.refused')}"
            )
            time.sleep(0.2)

    def click(self, text: str, kinds: str = "button, a, [role=button], [role=menuitem]") -> None:
        """Click what says this."""
        found = f"({BY_TEXT})({json.dumps(text)}, {json.dumps(kinds)})"
        self.until_true(f"!!{found}", what=text)
        self.run(f"{found}.click()")

    def submit(self, done: str, limit_s: float = 120) -> None:
        """Click Submit until a JavaScript expression holds: a busy page loses a click, or is refused a request."""
        end, again = time.monotonic() + limit_s, 0.0
        while not self.run(done):
            assert time.monotonic() < end, f"{done}: not on the page:\n{self.text}\n{self.run('window.refused')}"
            if time.monotonic() > again:
                self.click("Submit", "button")
                again = time.monotonic() + 20
            time.sleep(0.2)

    def type(self, selector: str, text: str) -> None:
        """Replace the text of a field, as typing does."""
        self.until_true(f"!!document.querySelector({json.dumps(selector)})", what=selector)
        field = f"document.querySelector({json.dumps(selector)})"
        end = time.monotonic() + 120
        while self.run(f"{field}?.value") != text:  # a page that is still being made forgets it
            assert time.monotonic() < end, f"{selector} does not take {text!r}"
            self.run(f"{field}?.focus(), {field}?.select()")
            self.send("Input.insertText", text=text)
            time.sleep(0.5)

    def shot(self, path: Path) -> None:
        """A picture of it."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(width: int = 1280, height: int = 900) -> Iterator[Page]:
    """A browser with one empty page; skips the test where none is installed."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium is installed to show the pages")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = [found, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                 "--hide-scrollbars", f"--window-size={width},{height}", f"--user-data-dir={profile}",
                 "--remote-debugging-port=0", "about:blank"]  # fmt: skip
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(_address(Path(profile)), max_size=2**26) as socket:
                page = Page(socket)
                page.send("Page.enable")
                page.send("Page.addScriptToEvaluateOnNewDocument", source=REFUSED)
                yield page
        finally:
            process.terminate()
            process.wait()


def _address(profile: Path) -> str:
    """Where the page can be driven."""
    import httpx

    noted, end = profile / "DevToolsActivePort", time.monotonic() + 120
    while not noted.exists() or len(noted.read_text().split()) < 2:
        assert time.monotonic() < end, "the browser did not start"
        time.sleep(0.1)
    pages = httpx.get(f"http://127.0.0.1:{noted.read_text().split()[0]}/json/list", timeout=60).json()
    return str(next(one["webSocketDebuggerUrl"] for one in pages if one["type"] == "page"))
