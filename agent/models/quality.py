"""How good a model is at a task, by the figure that its peers have too."""

from datetime import date

from agent.models.schema import Model

EFFECTIVE = "effective_parameters"
# The compute for the same performance halves every 8 months (Ho et al. 2024, arXiv:2403.05812); it grows as the square of
# the parameters, which are therefore worth twice as much after 16 months.
DOUBLING_MONTHS = 16
SINCE = date(2023, 1, 1)  # what has no date counts as of then


def quality(model: Model, metric: str) -> float | None:
    """The model's value of a metric, or None."""
    if metric == EFFECTIVE:
        return effective_parameters(model)
    return next((one.value for one in model.quality if one.metric == metric), None)


def effective_parameters(model: Model) -> float | None:
    """Parameters, worth more the newer a model is: a stand-in where a source has no benchmark, and no more than that."""
    if model.parameters is None:
        return None
    months = ((model.released or SINCE) - SINCE).days / 30.44
    return model.parameters * 2 ** (months / DOUBLING_MONTHS)
