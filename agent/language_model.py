"""A language model behind any endpoint that speaks OpenAI's protocol: it points at words of a request, and never gives a value.

Local servers follow a JSON schema of their own accord only where it is small and flat, and some of them answer without it where
they cannot read it; what comes back is checked here again.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, Field, create_model

from agent.catalogue import templates
from agent.models.schema import Words
from agent.resource import read_data

if TYPE_CHECKING:
    from pydantic_ai.models import Model

WAIT_S = 45.0  # for an answer, with one more try where it does not fit
LONGEST = 500  # tokens of an answer
MOST, LONGEST_WORDS = 10, 100  # of the values that it points at
NONE = "none"


class Pointed(NamedTuple):
    """Words that are said to give a slot."""

    slot: str
    words: str


class Suggestion(NamedTuple):
    """An intent, None where no workflow fits, and the words that give its slots; nothing of it is trusted yet."""

    intent: str | None
    said: tuple[Pointed, ...]


class NoHelp(Exception):
    """Why a language model did not help."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.words = Words(en=en, zh=zh)


def endpoint(url: str, name: str, key: str = "") -> "Model":
    """The model of a server; raises NoHelp where the packages for it are not installed."""
    try:
        from openai import AsyncOpenAI
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider
    except ModuleNotFoundError as error:
        reason = f"{error.name}: pip install 'ai4s[llm]'"
        raise NoHelp(f"needs the package {reason}", f"缺少软件包 {reason}") from None
    # Without a key of its own the client would send the one in OPENAI_API_KEY to whatever server is named here.
    client = AsyncOpenAI(base_url=url, api_key=key or NONE, timeout=WAIT_S, max_retries=0)
    return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client))


def suggestion(text: str, intents: Sequence[str], model: "Callable[[], Model]") -> Suggestion:
    """What a model makes of a request, among these intents.

    Raises:
        NoHelp: no server, no answer in time, or none that fits.
    """
    # In a thread: the caller may be inside an event loop of its own.
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(lambda: asyncio.run(_asked(text, intents, model()))).result()
    said = dict.fromkeys(Pointed(one.slot, one.words.strip()) for one in answer.said)
    return Suggestion(None if answer.intent == NONE else answer.intent, tuple(said))


async def _asked(text: str, intents: Sequence[str], model: "Model") -> Any:
    from pydantic_ai import Agent, NativeOutput
    from pydantic_ai.exceptions import AgentRunError, ContentFilterError, ModelConnectionError, UserError
    from pydantic_ai.settings import ModelSettings

    agent = Agent(
        model,
        output_type=NativeOutput(_form(intents), name="reading"),
        instructions=_instructions(intents),
        model_settings=ModelSettings(temperature=0.0, max_tokens=LONGEST, timeout=WAIT_S),
    )
    try:
        return (await asyncio.wait_for(agent.run(json.dumps({"request": text}, ensure_ascii=False)), WAIT_S)).output
    except TimeoutError:
        raise NoHelp(f"no answer within {WAIT_S:g} s", f"{WAIT_S:g} 秒内没有回答") from None
    except ModelConnectionError:
        raise NoHelp("needs server: nothing answers there", "需要服务器：无应答") from None
    except ContentFilterError:
        raise NoHelp("it refused to answer", "模型拒绝回答") from None
    except (AgentRunError, UserError) as error:
        said = " ".join(str(error).split())[:160]
        raise NoHelp(f"no answer that fits ({said})", f"回答不合格式（{said}）") from None


def _form(intents: Sequence[str]) -> type[BaseModel]:
    """The schema of an answer, with bounds: a small model repeats itself until something stops it."""
    slot: Any = Literal[*slots()]
    intent: Any = Literal[*intents, NONE]
    pointed = create_model("Said", slot=(slot, ...), words=(str, Field(max_length=LONGEST_WORDS)))
    return create_model("Reading", intent=(intent, ...), said=(list[pointed], Field(max_length=MOST)))


def slots() -> tuple[str, ...]:
    """The slots that a model may point at."""
    data = read_data("language_model")
    return (*data["counts"], *data["names"], *data["others"])


def _instructions(intents: Sequence[str]) -> str:
    data, asked = read_data("language_model"), read_data("questions")["slots"]
    about = {**{slot: words[0].split(" (")[0] for slot, words in asked.items()}, **data["about"]}
    parts = [
        data["instructions"],
        "Workflows:",
        *(f"{one}: {templates()[one].title} / {templates()[one].title_zh}" for one in intents),
        f"{NONE}: anything else",
        "Values: " + "; ".join(f"{slot}: {about[slot]}" if slot in about else slot for slot in slots()),
    ]
    for example in data["examples"]:
        question, answer = ({"request": example["request"]}, example["answer"])
        parts += ["Example", *(json.dumps(one, ensure_ascii=False) for one in (question, answer))]
    return "\n".join(parts)
