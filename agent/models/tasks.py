"""What models are for: the tasks of the catalogue, and which of the hub's workflows each serves."""

from functools import cache

from agent.models.data import read
from agent.models.schema import Domain, Words
from domains.errors import InvalidRequest, closest
from domains.model import Frozen


class Metric(Frozen):
    """How models of a task are compared."""

    name: str
    title: Words
    higher_is_better: bool = True


class Task(Frozen):
    """A task: what goes in, what comes out, what one unit of work is, and by what its models are ranked, if by anything."""

    id: str
    title: Words
    domain: Domain
    input: Words
    output: Words
    templates: tuple[str, ...] = ()
    sized_by_weights: bool = False
    unit: Words | None = None
    metric: Metric | None = None


@cache
def tasks() -> dict[str, Task]:
    """All tasks by id, in the order of the file."""
    content = read("tasks")
    metrics = {name: Metric(name=name, **rest) for name, rest in content["metrics"].items()}
    return {
        name: Task(id=name, **{**rest, "metric": metrics[rest["metric"]] if "metric" in rest else None})
        for name, rest in content["tasks"].items()
    }


def tasks_for(name: str) -> tuple[Task, ...]:
    """The task of this id, or the tasks that serve a workflow such as ``materials.phonons``.

    Raises:
        InvalidRequest: there is none of that name; with the closest ones.
    """
    if name in tasks():
        return (tasks()[name],)
    if found := tuple(task for task in tasks().values() if name in task.templates):
        return found
    near = closest(name, [*tasks(), *(template for task in tasks().values() for template in task.templates)])
    raise InvalidRequest(
        "task", name, "unknown task" + (f", closest: {', '.join(near)}" if near else ""), ", ".join(tasks())
    )
