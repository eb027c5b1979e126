"""What a request leaves open: the one question to ask, or the defaults that are taken."""

from collections.abc import Collection

from agent.catalogue import Need, Template, templates
from agent.resource import read_data


def missing(template: Template, known: Collection[str]) -> list[Need]:
    """The needs of a template that none of the known slots meets."""
    return [need for need in template.needs if not any(slot in known for slot in need.any_of)]


def question(template: Template, open_needs: list[Need], known: Collection[str], *, chinese: bool) -> str:
    """One question for what is missing, with the defaults that there are."""
    asked = read_data("questions")["ask"].get(template.id) or [need.any_of[0] for need in open_needs]
    wanted = dict.fromkeys([*(need.any_of[0] for need in open_needs), *asked])
    words = read_data("questions")["slots"]
    texts = [words[slot][chinese] for slot in wanted if slot in words and slot not in known]
    if chinese:
        return f"我理解为「{template.title_zh}」。请告诉我:{';'.join(texts) or '输入数据'}?"
    return f"I read this as {template.title}. Please say: {'; '.join(texts) or 'the input data'}?"


def assumptions(open_needs: list[Need], *, chinese: bool) -> tuple[str, ...]:
    """The defaults that are taken for needs that have one."""
    words = read_data("questions")["assumed"]
    return tuple(words[need.any_of[0]][chinese] for need in open_needs if need.any_of[0] in words)


def which_of(first: str, second: str, *, chinese: bool) -> str:
    """The question where two templates are about as likely."""
    one, other = templates()[first], templates()[second]
    if chinese:
        return f"您要的是「{one.title_zh}」还是「{other.title_zh}」?"
    return f"Do you mean {one.title} or {other.title}?"


def what(*, chinese: bool) -> str:
    """The question where nothing is said but that something be done."""
    if chinese:
        return "要计算什么?例如:对接小分子、弛豫晶体、预报天气、预测等离子体破裂、评估变异。"
    return "What should be computed? For example: dock molecules, relax crystals, forecast weather, predict disruptions, score variants."


def not_covered(*, science: bool, chinese: bool) -> str:
    """Why nothing is planned for a request."""
    if science:
        return (
            "这是科学计算问题,但目前没有模板覆盖它。「ai4s 能做什么」会列出现有流程。"
            if chinese
            else "This is real science, but no template here covers it. Ask what the hub can do to see those there are."
        )
    return "这不是本平台的科学计算任务。" if chinese else "This is no scientific computation that this hub does."


def refusal(reasons: Collection[str], *, chinese: bool) -> str:
    """What is said instead of a plan."""
    why = "; ".join(reasons)
    return f"不能执行此请求({why})。" if chinese else f"This request is refused ({why})."
