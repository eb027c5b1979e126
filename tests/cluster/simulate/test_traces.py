import gzip

import pytest

from cluster.hubfile import load
from cluster.simulate.traces import read_trace
from cluster.topology import TopologyError
from tests.public_data import public_data

SWF = """; MaxProcs: 240
; Note: three jobs, one of which never ran
1 0 5 100 4 -1 -1 4 200 -1 1 7 1 -1 -1 -1 -1 -1
2 60 5 50 -1 -1 -1 8 -1 -1 1 7 1 -1 -1 -1 -1 -1
3 90 5 -1 8 -1 -1 8 900 -1 0 8 1 -1 -1 -1 -1 -1
"""
PODS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
a,12000,16384,1,460,,LS,Running,0,100,10
b,12000,16384,0,0,,BE,Running,0,100,10
c,12000,16384,2,1000,k1|k2,BE,Running,50,,60
d,12000,16384,8,1000,k1|k2,BE,Running,50,500,
"""


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(path)


def test_swf_takes_what_ran_and_counts_what_did_not(tmp_path):
    trace = read_trace(written(tmp_path, "a.swf", SWF))
    assert trace.size == 240
    assert [(line.name, line.submit, line.chips, line.seconds, line.limit, line.project) for line in trace.lines] == [
        ("job1", 0, 4, 100, 200, "user7"),
        ("job2", 60, 8, 50, 50, "user7"),
    ]
    assert trace.left_out == {"no run time": 1}


def test_the_open_gpu_trace_counts_shared_gpus_as_whole_ones_and_keeps_kinds_that_the_hub_has(tmp_path):
    trace = read_trace(written(tmp_path, "a.csv.gz", PODS))
    assert [(line.name, line.chips, line.seconds, line.kinds) for line in trace.lines] == [
        ("a", 1, 90, ()),
        ("d", 8, 450, ("k1", "k2")),
    ]
    assert trace.left_out == {"no GPU": 1, "no end": 1}
    known = list(trace.jobs(load("zhengzhou-60k")))
    assert [job.gang.kinds for job in known] == [{}, {"k1": 1.0, "k2": 1.0}]
    assert [job.gang.kinds for job in trace.jobs(load("frontier"))] == [{}, {}]


def test_copies_are_shifted_and_a_scaled_gang_prefers_a_supernode_only_where_it_fits_one(tmp_path):
    trace = read_trace(written(tmp_path, "a.swf", SWF))
    jobs = list(trace.jobs(load("zhengzhou-60k"), scale=100, copies=3, speedup=2))
    assert len({job.gang.name for job in jobs}) == 6
    assert [(job.gang.chips, job.gang.preferred) for job in jobs[:2]] == [(400, "supernode"), (800, None)]
    assert all(0 <= job.submit < 45 for job in jobs)  # 60 s and the gap of a mean job, at twice the speed


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "", r"unknown type '.txt'; give .swf or .csv"),
        ("a.swf", "", "no job in it ran"),
        ("a.swf", "1 2 3\n", "line 1: has 3 fields; the format has 18"),
        ("a.swf", "1 2 x\n", "line 1: has a field that is not a number: 1 2 x"),
        ("a.csv", "name,num_gpu\n", "line 1: column creation_time is missing"),
        ("a.csv", PODS.replace("a,12000,16384,1", "a,12000,16384,one"), "line 2: a number cannot be read"),
        ("a.swf.gz", None, "Not a gzipped file|is not text"),
        (None, None, "No such file"),
    ],
)
def test_a_trace_that_cannot_be_read_is_one_clear_line(tmp_path, name, text, message):
    path = tmp_path / (name or "gone.swf")
    if name:
        path.write_text(text if text is not None else "not gzip")
    with pytest.raises(TopologyError, match=message) as caught:
        read_trace(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "size", "jobs", "left_out"),
    [
        ("traces/hpc2n-head.swf.gz", 240, 3145, 25),
        ("traces/lublin_256.swf.gz", 256, 10_000, 0),
        ("nodes/openb_pod_list_default.csv.gz", 6212, 7063, 1089),
    ],
)
def test_the_public_traces_are_read_whole(name, size, jobs, left_out):
    trace = read_trace(str(public_data(name)))
    assert trace.size == size
    assert len(trace.lines) + sum(trace.left_out.values()) == jobs + left_out
    assert len(trace.lines) == jobs
