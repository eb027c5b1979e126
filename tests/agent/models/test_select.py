from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.models.chips import Chip, backend_of, chips_of
from agent.models.choice import Wish
from agent.models.curated import curated
from agent.models.licences import commercial
from agent.models.place import Rule
from agent.models.schema import Attention, Backend, Licence, Memory, Model, Source, Speed, Weights
from agent.models.select import select
from cluster.hubfile import load, presets
from domains.errors import InvalidRequest

SOURCE = Source(url="https://example.org", seen=date(2026, 1, 1))
GIB = 2**30


def language_model(number, parameters, heads, kv_heads, layers, precision, licence, backends, active=None):
    return Model(
        id=f"m{number}", name=f"M{number}", domain="general", tasks=("text_generation",), parameters=parameters,
        active_parameters=active, precisions=(precision,), context=32768,
        attention=Attention(layers=layers, heads=heads, kv_heads=kv_heads, head_dim=64),
        licence=Licence(weights=licence), runs_on=dict.fromkeys(backends, "derived"),
        weights=Weights(how="download"), origin="test", sources=(SOURCE,),
    )  # fmt: skip


def science_model(number, gib, basis, licence, backends, seconds=None):
    speed = (Speed(seconds=seconds, backend=backends[0], chip="c", source="s"),) if seconds else ()
    return Model(
        id=f"s{number}", name=f"S{number}", domain="drug", tasks=("docking",), memory=Memory(gib=gib, basis=basis),
        licence=Licence(weights=licence), runs_on=dict.fromkeys(backends, "tested"), speed=speed,
        weights=Weights(how="none"), origin="test", sources=(SOURCE,),
    )  # fmt: skip


licences = st.sampled_from(["MIT", "Apache-2.0", "CC-BY-NC-4.0", "LicenseRef-Gemma", "NOASSERTION"])
backend_lists = st.lists(st.sampled_from(list(Backend)), min_size=1, unique=True)


@st.composite
def a_model(draw, number):
    if draw(st.booleans()):
        kv_heads = draw(st.sampled_from([1, 2, 4, 8]))
        return language_model(
            number,
            draw(st.integers(10**8, 10**12)),
            kv_heads * draw(st.sampled_from([1, 3, 5, 8])),
            kv_heads,
            draw(st.integers(4, 100)),
            draw(st.sampled_from(["bf16", "fp8", "fp32"])),
            draw(licences),
            draw(backend_lists),
        )
    return science_model(
        number,
        draw(st.floats(0.1, 200)),
        draw(st.sampled_from(["measured", "stated", "card"])),
        draw(licences),
        draw(backend_lists),
        draw(st.none() | st.floats(0.001, 100)),
    )


@st.composite
def a_chip(draw, number):
    device = draw(st.sampled_from(["cpu", "gpu", "npu"]))
    backends = {
        "cpu": [Backend.CPU],
        "gpu": [None, Backend.CUDA, Backend.ROCM, Backend.DCU],
        "npu": [None, Backend.ASCEND],
    }
    host = draw(st.integers(1, 16))
    return Chip(
        kind=f"k{number}", title="t", device=device, backend=draw(st.sampled_from(backends[device])),
        memory_gib=draw(st.floats(1, 200)), bandwidth_gbps=draw(st.none() | st.floats(10, 8000)),
        precisions=frozenset(("fp32", "bf16", "fp16", *draw(st.sampled_from([(), ("fp8",)])))),
        host=host, supernode=host * draw(st.integers(1, 80)), total=10_000,
    )  # fmt: skip


catalogues = st.integers(1, 6).flatmap(lambda size: st.tuples(*(a_model(number) for number in range(size))))
hubs = st.integers(1, 3).flatmap(lambda size: st.tuples(*(a_chip(number) for number in range(size))))
wishes = st.builds(
    Wish,
    task=st.sampled_from(["text_generation", "docking"]),
    licence=st.sampled_from([None, "commercial-ok", "MIT"]),
    most_parameters=st.none() | st.floats(1e8, 1e12),
    most_chips=st.none() | st.integers(1, 64),
    context=st.none() | st.integers(1, 65536),
    batch=st.integers(1, 32),
)


def held(model, precision, chips, wish):
    """What a chip must hold, worked out anew."""
    if model.memory:
        return model.memory.gib / chips
    size = {"fp32": 4, "bf16": 2, "fp8": 1}[precision]
    tokens = min(wish.context or 8192, model.context) * wish.batch
    shape = model.attention
    cache = 2 * 2 * shape.layers * -(-shape.kv_heads // chips) * shape.head_dim * tokens
    return (1.05 * model.parameters * size / chips + cache) / GIB + 1


@settings(deadline=None, max_examples=200)
@given(catalogues, hubs, wishes)
def test_what_is_chosen_fits_and_everything_else_has_a_reason(models, chips, wish):
    found = select(models, wish, chips)
    assert sorted([one.model.id for one in found.chosen] + [one.id for one in found.excluded]) == sorted(
        m.id for m in models
    )
    assert sum(found.counts.values()) == len(found.excluded)
    assert all(one.reason.en and one.reason.zh for one in found.excluded)
    for one in found.chosen:
        chip, model, number = one.placement.chip, one.model, one.placement.chips
        share = 1.0 if model.memory and model.memory.basis == "card" else 0.9
        assert held(model, one.placement.precision, number, wish) <= chip.memory_gib * share * (1 + 1e-9)
        assert wish.task in model.tasks
        assert one.placement.precision in chip.precisions
        assert number <= chip.supernode
        assert number <= (wish.most_chips or number)
        assert (
            number <= chip.host
            if chip.backend is Backend.CPU
            else model.attention is None or model.attention.heads % number == 0
        )
        assert number == 1 or model.attention is not None or chip.backend is Backend.CPU
        assert chip.backend in model.runs_on or one.placement.support in ("assumed", "host")
        assert wish.licence != "commercial-ok" or commercial(model.licence) == "yes"
        assert wish.most_parameters is None or model.parameters <= wish.most_parameters


@settings(deadline=None, max_examples=200)
@given(catalogues, hubs, wishes, st.floats(1, 10), st.booleans())
def test_more_memory_never_loses_a_choice(models, chips, wish, times, budget):
    if budget:
        wish = wish.model_copy(update={"budget_chip_h": 1.0, "units": 1000.0})
    larger = [chip.model_copy(update={"memory_gib": chip.memory_gib * times}) for chip in chips]
    before = {one.model.id: one for one in select(models, wish, chips).chosen}
    after = {one.model.id: one for one in select(models, wish, larger).chosen}
    assert before.keys() <= after.keys()
    assert all(after[name].placement.chips <= before[name].placement.chips for name in before)


@settings(deadline=None, max_examples=60)
@given(catalogues, hubs, wishes, st.randoms())
def test_the_answer_does_not_depend_on_the_order_of_the_catalogue(models, chips, wish, random):
    shuffled = list(models)
    random.shuffle(shuffled)
    assert select(models, wish, chips).as_dict() == select(shuffled, wish, chips).as_dict()


@settings(deadline=None, max_examples=60)
@given(catalogues, hubs, wishes)
def test_a_licence_never_gains_a_choice(models, chips, wish):
    free = {one.model.id for one in select(models, wish.model_copy(update={"licence": None}), chips).chosen}
    assert {one.model.id for one in select(models, wish, chips).chosen} <= free


def gpu(memory=64.0, supernode=640, **more):
    return Chip(
        kind="k",
        title="t",
        device="gpu",
        backend=Backend.CUDA,
        memory_gib=memory,
        host=8,
        supernode=supernode,
        total=1280,
        **more,
    )


def rule(model, chip, **wish):
    found = select([model], Wish(task=model.tasks[0], **wish), [chip])
    return found.excluded[0].rule if found.excluded else found.chosen[0].placement.chips


def test_each_rule_speaks_for_itself():
    large = language_model(1, 10**12, 64, 8, 60, "bf16", "MIT", [Backend.CUDA])
    odd = language_model(2, 10**12, 40, 8, 60, "bf16", "MIT", [Backend.CUDA])
    assert rule(large, gpu()) == 64
    assert rule(large, gpu(supernode=32)) is Rule.SUPERNODE
    assert rule(large, gpu(), most_chips=32) is Rule.CHIPS
    assert rule(odd, gpu()) is Rule.TENSOR_PARALLEL
    assert rule(large, gpu(memory=8.0)) is Rule.MEMORY
    assert rule(large, gpu(), most_parameters=1e9) is Rule.PARAMETERS
    assert rule(large, gpu(), context=65536) is Rule.CONTEXT
    assert rule(large, gpu(), licence="Apache-2.0") is Rule.LICENCE
    assert rule(large, gpu(), ready=True) is Rule.STATE
    fp8 = language_model(3, 10**9, 8, 8, 10, "fp8", "MIT", [Backend.CUDA])
    assert rule(fp8, gpu()) is Rule.PRECISION
    assert rule(fp8, gpu(precisions=frozenset(("fp8",)))) == 1
    assert rule(language_model(4, 10**9, 8, 8, 10, "bf16", "MIT", [Backend.ASCEND]), gpu()) is Rule.CHIP


def test_a_budget_that_cannot_be_shown_to_suffice_does_not():
    slow = science_model(1, 1.0, "measured", "MIT", [Backend.CUDA], seconds=36)
    unknown = science_model(2, 1.0, "measured", "MIT", [Backend.CUDA])
    assert rule(slow, gpu(), budget_chip_h=1, units=100) == 1
    assert rule(slow, gpu(), budget_chip_h=1, units=101) is Rule.BUDGET
    assert rule(unknown, gpu(), budget_chip_h=1e9, units=1) is Rule.BUDGET
    with pytest.raises(ValueError, match="budget_chip_h and units"):
        Wish(task="docking", budget_chip_h=1)


def test_better_comes_first_then_fewer_chips_and_the_efficient_are_marked():
    found = select(
        curated(), Wish(task="interatomic_potential", licence="commercial-ok"), chips_of(load("zhengzhou-60k"))
    )
    figures = [one.quality for one in found.chosen if one.quality is not None]
    assert figures == sorted(figures, reverse=True)
    assert found.chosen[0].efficient
    assert [one.quality is None for one in found.chosen] == sorted(one.quality is None for one in found.chosen)


def test_a_program_for_cpus_runs_beside_any_chip_and_says_so():
    found = select(curated(), Wish(task="docking"), chips_of(load("gb200-superpod")))
    assert found.chosen[0].model.id == "vina"
    assert any("runs on the host" in words.en for words in found.chosen[0].why)


def test_unnamed_gpus_are_assumed_to_run_what_runs_on_a_gpu_and_it_is_said():
    found = select(curated(), Wish(task="structure_prediction"), chips_of(load("zhengzhou-60k")))
    boltz = next(one for one in found.chosen if one.model.id == "boltz-2")
    assert boltz.placement.support == "assumed"
    assert any("does not say" in words.en for words in boltz.why)


@pytest.mark.parametrize(
    ("hub", "backend"),
    [("gb200-superpod", "cuda"), ("frontier", "rocm"), ("cloudmatrix384", "ascend"), ("tpu7x-pod", "tpu"), ("two-supernodes", "cpu"),
     ("zhengzhou-60k", None)],
)  # fmt: skip
def test_chips_of_the_hubs_that_come_with_the_project(hub, backend):
    topology = load(hub)
    assert all(backend_of(kind) == backend for kind in topology.kinds.values())
    assert sum(chip.total for chip in chips_of(topology)) == topology.chips


def test_every_hub_gives_an_answer():
    for name in ("laptop", *presets()):
        found = select(curated(), Wish(task="materials.relaxation"), chips_of(load(name)))
        assert len(found.chosen) + len(found.excluded) == len(curated())


def test_a_chip_that_the_hub_has_not_is_named():
    with pytest.raises(InvalidRequest, match=r"chip = 'h100'.*Valid: gb200, cuda"):
        select(curated(), Wish(task="docking", chip="h100"), chips_of(load("gb200-superpod")))
    only = select(curated(), Wish(task="docking", chip="k5"), chips_of(load("zhengzhou-60k")))
    assert {one.placement.chip.kind for one in only.chosen} == {"k5"}
