"""The part of a report that tells how an active-learning search went, for any domain's candidates and evaluations."""

from dataclasses import dataclass

from markupsafe import Markup

from domains.learning.figures import curve
from domains.learning.loop import Stop
from tasks.learning import Acquired
from tasks.report import Section, environment
from tasks.words import Text

STOPPED: dict[Stop, Text] = {
    "budget": Text("the budget was spent", "预算已用完"),
    "exhausted": Text("none were left", "已无剩余候选"),
    "enough": Text("it stopped early, as enough were found by its estimate", "按估计已找到足够多，提前停止"),
}


@dataclass(frozen=True)
class Wording:
    """What a domain calls its search: in English the plural and the participle, in Chinese the noun and the verb."""

    candidates: Text  # such as candidates, 候选
    evaluated: Text  # such as docked, 对接
    score: str  # with its unit, on the axes


def section(search: Acquired, words: Wording) -> Section:
    """The learning curve, and what is known of it and what is estimated."""
    page = environment("tasks").get_template("learning.html.j2")
    html = page.render(
        figure=Markup(curve(search.rounds, search.pool, words.score)),
        rounds=[one.as_dict() for one in search.rounds],
        said=_said(search, words),
        evaluated=words.evaluated,
    )
    return Section("Active learning", "主动学习", Markup(html), first=False)


def _said(search: Acquired, words: Wording) -> Text:
    stopped, top = STOPPED[search.stop], f"{100 * search.learning.top_share:g} %"
    done = sum(one.chosen for one in search.rounds)
    part = f"{100 * done / max(1, search.pool):.0f} %"
    last = search.rounds[-1].estimate if search.rounds else None
    share = f"{100 * last.share:.0f} %" if last else "–"
    (many, many_zh), (did, did_zh) = words.candidates, words.evaluated
    return Text(
        f"{done:,} of {search.pool:,} {many} were {did} ({part}); {stopped.en}. The model estimates that {share} of the "
        f"best {top} are among them: an estimate, as nobody {did} the rest.",
        f"共{did_zh} {search.pool:,} 个{many_zh}中的 {done:,} 个（{part}）；{stopped.zh}。"
        f"模型估计最优的 {top} 中有 {share} 已被找到：其余未{did_zh}，故仅为估计。",
    )
