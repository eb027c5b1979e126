"""Whether a model can run on this machine now, and if not what it needs: never more than is true."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec

from agent.models.schema import Model
from domains.errors import InvalidRequest

READY = "ready"
MATERIALS = "pip install 'ai4s[materials]'"


def state(model: Model) -> str:
    """``ready``, or what is missing. A model that no pipeline of this project runs is never ready."""
    if model.engine:
        return ENGINES[model.engine]() or READY
    if model.weights.how == "gated":
        return "needs weights: on request from its makers; no pipeline runs it yet"
    if model.domain == "general":
        return "needs weights: serve it behind an OpenAI-compatible address"
    if model.weights.how == "download":
        return "needs weights: to be downloaded; no pipeline runs it yet"
    return "no pipeline runs it yet"


def _docking(name: str) -> Callable[[], str]:
    def missing() -> str:
        from domains.drug.engines import ENGINES  # here: it brings RDKit, and most commands ask for no state

        return ENGINES[name].state

    return missing


def _vina() -> str:
    return "" if find_spec("vina") else "needs package: pip install 'ai4s[drug]'"


def _admet() -> str:
    from domains.drug.admet import installed

    try:
        installed()
    except InvalidRequest as error:
        return f"needs package: {error.problem}"
    return ""


def _boltz() -> str:
    from domains.drug.boltz import state

    return state()


def _potential(name: str, package: str) -> Callable[[], str]:
    def missing() -> str:
        from domains.materials.potential import POTENTIALS

        if name not in POTENTIALS or find_spec(POTENTIALS[name].partition(":")[0]) is None:
            return "no pipeline runs it yet"
        return "" if find_spec(package) else f"needs package: {MATERIALS}"

    return missing


def _jcm() -> str:
    from domains.climate.gcm import state

    return state()


ENGINES: Mapping[str, Callable[[], str]] = {
    "vina": _vina,
    **{name: _docking(name) for name in ("vina-cli", "gnina", "unidock", "autodock-gpu")},
    "admet": _admet,
    "boltz-2": _boltz,
    "jcm": _jcm,
    "chgnet": _potential("chgnet", "chgnet"),
    "sevennet-l3i5": _potential("sevennet-l3i5", "sevenn"),
    "emt": _potential("emt", "ase"),
}
