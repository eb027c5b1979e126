"""The books of chips, against a plain model."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.scheduler.ledger import Ask, Ledger

HOSTS = [("sn0", "h0"), ("sn0", "h1"), ("sn1", "h0"), ("sn1", "h1"), ("sn2", "h0")]
KINDS = ("a", "a", "b", "b", "a")
CHIPS = 8


def ledger() -> Ledger:
    books = Ledger()
    for number, (path, kind) in enumerate(zip(HOSTS, KINDS, strict=True)):
        books.add(number, path, {"chip": CHIPS, f"chip.{kind}": CHIPS}, 100)
    return books


def test_a_kind_and_any_chip_draw_on_one_ledger() -> None:
    books = ledger()
    books.take("x", 0, Ask(5))
    books.take("y", 0, Ask(2, "chip.a"))
    assert books.free(0) == books.free(0, "chip.a") == 1
    assert not books.fits(0, Ask(2))
    assert not books.fits(0, Ask(2, "chip.a"))
    assert not books.fits(0, Ask(1, "chip.b"))


def test_the_tightest_host_that_fits_is_taken() -> None:
    books = ledger()
    books.take("x", 3, Ask(5))
    assert books.fit(Ask(3)) == 3
    assert books.fit(Ask(4, "chip.b")) == 2
    assert books.fit(Ask(4), ("sn2",)) == 4
    assert books.fit(Ask(9)) is None
    assert books.fit(Ask(1, "chip.c")) is None


def test_memory_is_kept_as_chips_are() -> None:
    books = ledger()
    for number in range(5):
        books.take(number, number, Ask(1, memory=60))
    assert books.fit(Ask(1, memory=50)) is None
    assert books.fit(Ask(1, memory=40)) is not None
    assert not books.ever(Ask(1, memory=101))


def test_a_hold_is_taken_once_and_given_back_once() -> None:
    books = ledger()
    books.take("x", 0, Ask(3))
    books.take("x", 0, Ask(3))
    assert books.free(0) == 5
    books.give("x")
    books.give("x")
    assert books.free(0) == 8
    books.take("x", 0, Ask(3))
    books.take("x", 1, Ask(3))  # it runs elsewhere now
    assert (books.free(0), books.free(1)) == (8, 5)


def test_a_suspended_or_claimed_worker_gets_nothing() -> None:
    books = ledger()
    books.suspend(4, True)
    books.claim(0, "gang")
    books.claim(1, "gang")
    assert books.fit(Ask(1, "chip.a")) is None
    books.take("x", 0, Ask(1))
    books.claim(0, None)
    assert books.free(0) == 7
    assert books.fit(Ask(7, "chip.a")) == 0
    books.suspend(4, False)
    assert books.fit(Ask(8, "chip.a")) == 4
    books.check()


def test_chips_of_mixed_kinds_are_never_counted_twice() -> None:
    books = Ledger()
    books.add("w", ("sn0", "h0"), {"chip": 4, "chip.a": 2, "chip.b": 2})
    books.take("any", "w", Ask(2))
    assert not books.fits("w", Ask(1, "chip.a"))  # the two may be those of kind a
    books.give("any")
    books.take("a", "w", Ask(2, "chip.a"))
    assert books.fits("w", Ask(2, "chip.b"))


def test_a_worker_may_change_what_it_has() -> None:
    books = ledger()
    books.take("x", 0, Ask(3))
    books.add(0, ("sn0", "h0"), {"chip": 4, "chip.a": 4}, 100)
    assert books.free(0) == 1
    books.check()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "give", "remove", "add", "suspend", "resume", "claim", "free"]),
        st.integers(0, 4),
        st.integers(0, 19),
        st.sampled_from(["chip", "chip.a", "chip.b"]),
        st.integers(1, 8),
    ),
    max_size=60,
)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_the_books_close_whatever_happens(steps: list[tuple[str, int, int, str, int]]) -> None:
    books = ledger()
    for what, worker, task, kind, chips in steps:
        ask = Ask(chips, kind)
        if what == "take":
            found = books.fit(ask)
            if found is not None and task not in books.held:
                assert books.free(found) >= chips
                books.take(task, found, ask)
        elif what == "give":
            books.give(task)
        elif what == "remove":
            books.remove(worker)
        elif what == "add":
            books.add(worker, HOSTS[worker], {"chip": CHIPS, f"chip.{KINDS[worker]}": CHIPS}, 100)
        elif what in ("suspend", "resume"):
            books.suspend(worker, what == "suspend")
        else:
            books.claim(worker, "gang" if what == "claim" else None)
        books.check()


@given(st.lists(st.tuples(st.integers(1, 8), st.sampled_from(["chip", "chip.a", "chip.b"])), max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_fit_means_that_no_host_has_room(asks: list[tuple[int, str]]) -> None:
    books = ledger()
    for number, (chips, kind) in enumerate(asks):
        ask = Ask(chips, kind)
        found = books.fit(ask)
        rooms = [books.free(worker, kind) for worker in range(5)]
        if found is None:
            assert max(rooms) < chips
        else:
            assert rooms[found] == min(room for room in rooms if room >= chips)
            books.take(number, found, ask)
