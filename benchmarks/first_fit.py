"""The peer of the hub benchmarks: flat first fit, the first free chips in the order of hosts, whatever lies between them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

from cluster.allocate.fit import Fit
from cluster.allocate.gang import Gang
from cluster.allocate.view import View
from cluster.simulate.jobs import Job


def flat(jobs: Iterable[Job]) -> list[Job]:
    """The same jobs without a wish for a level or for groups."""
    plain = {"preferred": None, "required": None, "groups": ()}
    return [Job(job.submit, job.gang.model_copy(update=plain), job.seconds, job.checkpoint_s) for job in jobs]


def _first(view: View, gang: Gang, widest: int) -> Fit | None:
    if not view.allows(0, gang.chips):
        return None
    shares, left = [], gang.chips
    for host in view.tree.hosts:
        count = min(view.room(host), left)
        if count > 0:
            shares.append((host, count))
            left -= count
            if not left:
                return Fit(0, shares)
    return None


@contextmanager
def first_fit() -> Iterator[None]:
    """Let the allocator place by first fit; its queue, backfill and reservations stay the same."""
    with patch("cluster.allocate.passes.find", _first):
        yield
