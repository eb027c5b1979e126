"""The learning section speaks a domain's own words."""

import numpy as np
import pytest

from domains.learning.curve import Round
from domains.learning.estimate import Estimate
from domains.learning.settings import Learning
from tasks.learning import Acquired, Joined
from tasks.learning_report import STOPPED, Wording, section
from tasks.words import Text

WORDS = Wording(Text("<crystals>", "晶体"), Text("relaxed", "弛豫"), "energy, eV")


@pytest.mark.parametrize("stop", STOPPED)
def test_the_section_uses_the_domains_words_and_escapes_them(stop):
    seen = np.array([-1.0, -2.0])
    first = Round(1, 3, 2, 3, -2.0, np.empty(0), np.empty(0), 0.1, 5.0)
    second = Round(2, 2, 2, 5, -2.0, seen, seen + 0.5, 0.1, 5.0, Estimate(threshold=-1.5, found=3.0, remaining=1.0))
    made = section(Acquired(Joined([]), [first, second], stop, Learning(top_share=0.01), 50), WORDS)
    assert (made.en, made.first) == ("Active learning", False)
    assert "5 of 50 &lt;crystals&gt; were relaxed (10 %)" in made.html
    assert "75 % of the best 1 % are among them: an estimate, as nobody relaxed the rest" in made.html
    assert "共弛豫 50 个晶体中的 5 个（10 %）" in made.html
    assert STOPPED[stop].zh in made.html
    assert ">Relaxed<" in made.html
    assert ">弛豫数<" in made.html
    assert "energy, eV" in made.html
    assert "dock" not in made.html.lower()
    assert "对接" not in made.html


def test_a_search_that_found_nothing_says_so():
    html = section(Acquired(Joined([]), [], "exhausted", Learning(), 0), WORDS).html
    assert "0 of 0" in html
    assert "estimates that – of" in html
