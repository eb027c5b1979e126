"""What reading a request costs: start, milliseconds a request, memory; each start in a process of its own."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.agent_labels import own
from benchmarks.bench import ROOT, Row, main

STARTS, QUICK_STARTS = 5, 2
PROBE = """
import json, sys, time
warm, texts = json.load(sys.stdin)
def cpu(): return time.process_time()
began = cpu()
from agent.read import read
from agent.recogniser import recogniser
imported = cpu()
recogniser()
trained = cpu()
read("dock c1ccccc1CCN to EGFR")
first = cpu()
for text in warm:
    read(text)
warmed = cpu()
times = []
for text in texts:
    before = cpu()
    read(text)
    times.append(cpu() - before)
# Not getrusage: that peak is handed down by the process that started this one.
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
print(json.dumps({"import": imported - began, "train": trained - imported, "first": first - trained, "warm": (warmed - first) / len(warm), "times": times, "peak": peak}))
"""


def start(warm: Sequence[str], texts: Sequence[str]) -> dict[str, Any]:
    """One fresh process that reads some requests, so that its rules are compiled, and then others; CPU seconds."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=ROOT,
        input=json.dumps([warm, texts]),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(arguments: argparse.Namespace) -> Sequence[Row]:
    """Medians over the starts, with the spread; the worst request of all."""
    warm, texts = ([row["text"] for row in own(held_out=half)] for half in (False, True))
    starts = [start(warm, texts) for _ in range(QUICK_STARTS if arguments.quick else STARTS)]
    medians = [1e3 * median(one["times"]) for one in starts]
    worst = [1e3 * sorted(one["times"])[int(0.99 * len(texts))] for one in starts]

    def spread(values: Sequence[float]) -> str:
        return f"{min(values):.3g} to {max(values):.3g} in {len(values)} processes"

    seconds = {name: [one[name] for one in starts] for name in ("import", "train", "first", "warm")}
    peaks = [one["peak"] for one in starts]
    return [
        Row("import", median(seconds["import"]), "CPU s", note=spread(seconds["import"])),
        Row.judged("training of the recogniser", median(seconds["train"]), "CPU s", "< 1", spread(seconds["train"])),
        Row("first request, with RDKit", median(seconds["first"]), "CPU s", note=spread(seconds["first"])),
        Row("the next 50 requests, each", 1e3 * median(seconds["warm"]), "CPU ms", note="some compile their rules"),
        Row.judged("a request, median", median(medians), "CPU ms", "< 50", f"{spread(medians)}, {len(texts)} requests"),
        Row.judged("a request, 99th percentile", median(worst), "CPU ms", "< 50", spread(worst)),
        Row.judged("peak memory", max(peaks), "MiB", "< 300", spread(peaks)),
    ]


if __name__ == "__main__":
    main(measure, __doc__)
