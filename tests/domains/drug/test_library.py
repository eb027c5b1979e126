import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domains.drug.library import SHIPPED, open_library
from domains.errors import InvalidRequest

ETHANOL = "ethanol\n     RDKit          2D\n\n  3  2  0  0  0  0  0  0  0  0999 V2000\n    0.0000    0.0000    0.0000 C   0  0\n    1.2990    0.7500    0.0000 C   0  0\n    2.5981   -0.0000    0.0000 O   0  0\n  1  2  1  0\n  2  3  1  0\nM  END\n"


def rows(library, **options):
    return pa.concat_tables(library.tables(**options)).to_pylist()


def write(path, text):
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.smi", "CCO ethanol\n\nc1ccccc1\tbenzene ring\n# note\nCC(\n"),
        ("a.smi.gz", "smiles name\nCCO ethanol\nc1ccccc1 benzene ring\nCC(\n"),
        ("a.csv", 'ID,SMILES,x\n"ethanol",CCO,1\nbenzene ring,c1ccccc1,2\n,CC(,3\n'),
        ("a.csv.gz", "\ufeffname,Canonical_SMILES\nethanol,CCO\nbenzene ring,c1ccccc1\n,CC(\n"),
        ("a.tsv", "smiles\tname\nCCO\tethanol\nc1ccccc1\tbenzene ring\nCC(\t\n"),
    ],
)
def test_text_formats_give_the_same_rows(tmp_path, name, text):
    library = open_library(str(write(tmp_path / name, text)))
    assert library.rows == 3
    assert [(row["id"], row["name"], row["structure"]) for row in rows(library)] == [
        (0, "ethanol", "CCO"),
        (1, "benzene ring", "c1ccccc1"),
        (2, "", "CC("),
    ]


def test_sdf_keeps_every_record_and_names_the_broken_ones(tmp_path):
    text = ETHANOL + "> <x>\n1\n\n$$$$\nbroken\n\n\n$$$$\n" + ETHANOL.replace("ethanol", "last")
    library = open_library(str(write(tmp_path / "a.sdf.gz", text)))
    found = rows(library)
    assert [row["name"] for row in found] == ["ethanol", "broken", "last"]
    assert [row["problem"] for row in found] == [None, "record without M  END", None]
    assert found[0]["structure"] == ETHANOL


def test_a_huge_sdf_record_is_a_row_and_not_a_memory_problem(tmp_path):
    text = "monster\n" + "x" * 100 + "\n" + ("y" * 99 + "\n") * 20_000 + "$$$$\n" + ETHANOL + "$$$$\n"
    found = rows(open_library(str(write(tmp_path / "a.sdf", text))))
    assert found[0]["problem"].startswith("record of 2,0")
    assert found[1]["problem"] is None


def test_parquet_and_missing_values(tmp_path):
    pq.write_table(pa.table({"Smiles": ["CCO", None, "C"], "cid": [7, 8, 9]}), tmp_path / "a.parquet")
    found = rows(open_library(str(tmp_path / "a.parquet")))
    assert [(row["name"], row["structure"], row["problem"]) for row in found] == [
        ("7", "CCO", None),
        ("8", "", "no SMILES in the row"),
        ("9", "C", None),
    ]


def test_a_short_csv_row_is_a_candidate_too(tmp_path):
    found = rows(open_library(str(write(tmp_path / "a.csv", "x,smiles\n1,CCO\n2\n3,C\n"))))
    assert [row["problem"] for row in found] == [None, "only 1 fields in the row", None]


def test_an_open_quote_costs_one_record_and_not_the_rest(tmp_path):
    found = rows(open_library(str(write(tmp_path / "a.csv", 'name,smiles\na,CCO\n"b,CCN\nc,CCC\n"d, e",CCCC\n'))))
    assert [(row["name"], row["structure"], row["problem"]) for row in found] == [
        ("a", "CCO", None),
        ("", "", "a quote that is not closed"),
        ("c", "CCC", None),
        ("d, e", "CCCC", None),
    ]


def test_a_name_is_one_line(tmp_path):
    pq.write_table(pa.table({"smiles": ["C"], "name": ["two\nlines"]}), tmp_path / "a.parquet")
    assert rows(open_library(str(tmp_path / "a.parquet")))[0]["name"] == "two lines"


def test_names_in_a_local_encoding_do_not_stop_a_library(tmp_path):
    (tmp_path / "a.csv").write_bytes("smiles,name\nCCO,乙醇\n".encode("gbk"))
    assert rows(open_library(str(tmp_path / "a.csv")))[0]["structure"] == "CCO"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.smi", None, "no such file"),
        ("a.xlsx", b"PK", r"unknown type \.xlsx"),
        ("a.smi", b"", "holds no records"),
        ("a.smi", b"# only a comment\n", "holds no records"),
        ("a.csv", b"x,y\n1,2\n", "no SMILES column among"),
        ("a.smi.gz", b"not gzip", "cannot be read"),
        ("a.smi.gz", gzip.compress(b"CCO\n" * 5000, mtime=0)[:-20], "cannot be read"),
        ("a.parquet", b"PAR1", "cannot be read"),
    ],
)
def test_an_unfit_file_is_one_clear_error(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidRequest, match=message) as error:
        open_library(str(path))
    assert error.value.field == "library"


def test_a_name_no_file_can_have_is_one_clear_error():
    with pytest.raises(InvalidRequest, match="cannot be read"):
        open_library("x" * 300 + ".smi")


def test_a_folder_is_not_a_library(tmp_path):
    with pytest.raises(InvalidRequest, match="is not a file"):
        open_library(str(tmp_path))


@pytest.mark.parametrize(("name", "count"), [("nci-5k", 4999), ("wehi-10k", 10_000)])
def test_shipped_libraries(name, count):
    assert SHIPPED[name].exists()
    assert open_library(name).rows == count


def test_a_sample_is_seeded_and_keeps_row_numbers():
    library = open_library("nci-5k")
    one, same, other = (rows(library, sample=20, seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    every = {row["id"]: row for row in rows(library)}
    assert len(one) == 20
    assert all(every[row["id"]] == row for row in one)
    assert rows(library, sample=10**9, seed=1) == list(every.values())
