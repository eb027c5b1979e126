import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from agent.models import hub_client, llmfit
from agent.models.catalogue import load
from agent.models.sync import sync
from agent.models.synced import synced_models
from domains.errors import InvalidRequest


def entry(name="Qwen/Qwen3-8B", **more):
    """An entry as the site gives it for the fields that are asked for."""
    return {
        "_id": "680da5e2", "id": name, "sha": "9c925d64", "createdAt": "2025-04-27T03:42:21.000Z", "gated": False,
        "pipeline_tag": "text-generation", "cardData": {"license": "apache-2.0"}, "config": {"model_type": "qwen3"},
        "safetensors": {"parameters": {"BF16": 8190735360}, "total": 8190735360}, **more,
    }  # fmt: skip


class Site(ThreadingHTTPServer):
    """A site on this machine that answers what a test tells it, page by page."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.pages, self.asked, self.busy = [[entry()]], [], 0
        self.next = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass

    def do_GET(self):
        site, query = self.server, parse_qs(urlsplit(self.path).query)
        site.asked.append(query)
        if site.busy:
            site.busy -= 1
            self.send_response(429)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        number = int(query.get("cursor", ["0"])[0])
        page = site.pages[number]
        body = page if isinstance(page, bytes) else json.dumps(page).encode()
        self.send_response(200)
        if number + 1 < len(site.pages):
            self.send_header("Link", f'<{site.next or site.url}/api/models?cursor={number + 1}>; rel="next"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def site(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    server = Site()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_models_are_kept_with_their_revision_and_where_they_were_read(site):
    site.pages = [
        [entry(), entry("Qwen/Qwen3-4B", safetensors={"total": 4_022_468_096}, gated="manual")],
        [entry("Qwen/Qwen3-14B", safetensors={"total": 14_768_307_200})],
    ]
    assert sync(["qwen"], site.url) == (3, 3, 3, 3)
    first, gated, _ = synced_models()
    assert first.weights.where == f"{site.url}/Qwen/Qwen3-8B/tree/9c925d64"
    assert (first.licence.weights, first.parameters, str(first.released)) == ("Apache-2.0", 8190735360, "2025-04-27")
    assert gated.weights.how == "gated"
    assert site.asked[0]["author"] == ["Qwen"]
    assert set(site.asked[0]["expand"]) == set(hub_client.FIELDS)


def test_a_second_sync_adds_and_renews(site):
    sync(["Qwen"], site.url)
    site.pages = [[entry(cardData={"license": "mit"}), entry("Qwen/Qwen3-4B", safetensors={"total": 4_022_468_096})]]
    assert sync(["Qwen"], site.url) == (2, 2, 1, 2)
    assert [model.licence.weights for model in synced_models()] == ["MIT", "Apache-2.0"]


def test_entries_that_do_not_say_enough_are_left_out(site):
    odd = [{}, {"id": 5}, entry(pipeline_tag="image-classification"), entry(safetensors=None), entry(safetensors={"total": "8B"}),
           entry(cardData=None), entry(cardData={"license": ["mit"]}), entry("someone/copy-8B"), entry("Qwen/Qwen3-8B-GGUF")]  # fmt: skip
    site.pages = [[*odd, entry()]]
    assert sync(["Qwen"], site.url)[:2] == (10, 1)


def test_a_limit_is_kept_and_a_foreign_next_page_is_not_asked(site):
    site.pages = [[entry()] * 3, [entry()] * 3]
    assert sync(["Qwen"], site.url, most=4).listed == 4
    site.next = "http://127.0.0.2:9"
    assert sync(["Qwen"], site.url).listed == 3


def test_a_busy_site_is_asked_again(site):
    site.busy = 2
    assert sync(["Qwen"], site.url).kept == 1
    site.busy = 3
    with pytest.raises(InvalidRequest, match="HTTP 429"):
        sync(["Qwen"], site.url)


@pytest.mark.parametrize("page", [b"<html>", {"error": "no"}, [1, 2], b""])
def test_what_is_no_list_of_models_changes_nothing(site, page):
    sync(["Qwen"], site.url)
    site.pages = [page]
    with pytest.raises(InvalidRequest, match="stays as it is, with 1 synced models"):
        sync(["Qwen"], site.url)
    assert len(synced_models()) == 1


def test_offline_it_says_so_and_keeps_what_it_has(site):
    sync(["Qwen"], site.url)
    with pytest.raises(InvalidRequest, match=r"cannot be asked \(.*refused.*with 1 synced models"):
        sync(["Qwen"], "http://127.0.0.1:9")
    with pytest.raises(InvalidRequest, match="no address that begins with https"):
        sync(["Qwen"], "file:///etc")
    assert [model.id for model in synced_models()] == ["Qwen/Qwen3-8B"]


def test_an_unknown_organisation_names_the_closest(site):
    with pytest.raises(InvalidRequest, match="closest: Qwen"):
        sync(["qwem"], site.url)
    assert site.asked == []


def test_a_synced_row_renews_the_listed_one_and_keeps_its_shape(site, monkeypatch):
    listed = {
        "name": "Qwen/Qwen3-8B", "parameters_raw": 8e9, "license": "other", "use_case": "General purpose", "context_length": 40960,
        "active_parameters": None, "architecture": "qwen3", "release_date": None, "num_hidden_layers": 36,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    }  # fmt: skip
    monkeypatch.setattr(llmfit, "release", lambda: "1.1.17")
    monkeypatch.setattr(llmfit, "_listed", lambda: [{**listed, "license": "mit"}])
    sync(["Qwen"], site.url)
    model = load().catalogue.find("Qwen3-8B")
    assert (model.licence.weights, model.parameters, model.context) == ("Apache-2.0", 8190735360, 40960)
    assert model.attention.heads == 32
    assert len(model.sources) == 2
