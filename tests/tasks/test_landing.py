"""The page of a run: what it says while it runs, at its end, and when it is stopped; names are shown as they are."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tasks.words import Text, in_markdown
from tests.tasks.test_stage import batch_stage

HOSTILE = '<script>alert(1)</script> [click](javascript:alert(1)) a|b `../../etc` "*x*"'


@given(st.text(min_size=1))
def test_a_text_is_shown_as_it_is_and_makes_no_tag(text):
    page = MarkdownIt("commonmark").enable("table").render(f"| a |\n|---|\n| x {in_markdown(text)} |")
    assert re.findall(r"<(?!/?(?:table|thead|tbody|tr|th|td))", page) == []
    cell = html.unescape(page.partition("<td>")[2].partition("</td>")[0])
    shown = " ".join(cell.removeprefix("x").split())
    assert shown == " ".join(text.replace("\0", "\ufffd").split())


@pytest.fixture
def page(prefect_api, make_run, numbers):
    """What the page says after a flow has used it so."""
    from prefect import flow
    from prefect.client.orchestration import get_client

    from tasks.landing import Landing
    from tasks.stage import run_stage_here

    def used(use):
        run = make_run(f"run-{use.__name__}")

        @flow(name="landing")
        def landing():
            made = Landing(run, "Doubling 20 numbers", 3)
            run.progress.watch = made.stage
            run_stage_here(run, batch_stage(), numbers(20))
            use(made)
            return made._artifact

        with get_client(sync_client=True) as client:
            found = client.request("GET", "/artifacts/{id}", path_params={"id": landing()}).json()
        assert found["key"] == "test-summary"
        return found["data"]

    return used


def test_a_run_at_work_says_how_far_it_is(page):
    def at_work(made):
        made.stage(made._now)
        made._write(made._running())

    words = page(at_work)
    assert words.startswith("## Running: stage 2 of about 3 / 运行中")
    assert "Now / 当前: **double**, 20 of 20 rows (100 %)" in words
    assert "| double / double | 20 | 18 | filtered 2 |" in words


def test_a_finished_run_says_its_answer_first(page):
    def finish(made):
        made.finished(Text(HOSTILE, "答案"), "/runs/<b>/report.html")
        made.stopped(RuntimeError("after the answer"))

    words = page(finish)
    assert words.startswith("## &lt;script&gt;alert(1)")
    assert words.index("答案") < words.index("Finished / 已完成") < words.index("| double / double | 20 | 18 |")
    assert "<script>" not in words
    assert "/runs/&lt;b&gt;/report.html" in words


def test_a_stopped_run_says_why_and_how_to_go_on(page):
    def stop(made):
        made.stopped(RuntimeError("no space left in /runs: free some"))

    words = page(stop)
    assert words.startswith("## Stopped in / 于 double")
    assert "no space left in /runs: free some" in words
    assert "ai4s resume run-stop" in words
