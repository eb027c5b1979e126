"""The 2D diagram and the 3D view: what is in them, and the view in a real browser."""

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
import time
import urllib.request
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from websockets.sync.client import connect

from domains.drug import diagram, hits, interactions, poses, view3d
from tests.domains.drug.abl1 import crystal_row, receptor_pdb, shifted

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LABEL = re.compile(r'<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)" rx="9"')


@pytest.fixture(scope="module")
def imatinib(tmp_path_factory):
    """The crystal's pose and what it touches."""
    row = crystal_row()
    path = tmp_path_factory.mktemp("abl1") / "abl1.pdb"
    path.write_text(receptor_pdb())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    engine = interactions.Interactions(poses.ReceptorSettings(receptor_sha256=sha256, path=path))
    return row, engine(row)["interactions"]


# ------------------------------------------------------------------------------------------------ 2D


def test_a_diagram_names_every_residue_once_and_covers_nothing(imatinib):
    row, found = imatinib
    svg = diagram.diagram(hits.posed(row), found)
    ET.fromstring(svg)
    residues = {one["residue"] for one in found}
    for name in residues:
        assert svg.count(f">{name}</text>") == 1
    boxes = [tuple(map(float, match)) for match in LABEL.findall(svg)]
    assert len(boxes) == len(residues)
    for at, (x, y, width, height) in enumerate(boxes):
        assert x >= 0
        assert y >= 0
        assert x + width <= diagram.WIDTH
        assert y + height <= diagram.HEIGHT
        for a, b, wide, high in boxes[:at]:
            assert x >= a + wide or a >= x + width or y >= b + high or b >= y + height
    assert "H-bond, ligand donates" in svg
    assert "疏水作用" in svg


@pytest.mark.parametrize("smiles", ["C", "CCO", "C1CC1.[Na+]", "CC(C)CCCCCCCCCCCCCCCCCCCCO"])
def test_any_molecule_can_be_drawn_and_names_are_escaped(smiles):
    mol = Chem.MolFromSmiles(smiles)
    found = [
        {"residue": f"<X>&{number}", "kind": kind, "distance": 3.0, "ligand_atoms": [0], "receptor_atoms": ["O"]}
        for number, kind in enumerate(diagram.STYLES)
    ]
    svg = diagram.diagram(mol, found)
    ET.fromstring(svg)
    assert "<X>" not in svg
    assert svg.count("&lt;X&gt;&amp;") >= len(diagram.STYLES)
    ET.fromstring(diagram.diagram(mol, []))


def test_every_kind_of_interaction_has_a_colour_and_words():
    assert set(interactions.KINDS) | {interactions.CONTACT} == set(diagram.STYLES)


# ------------------------------------------------------------------------------------------------ 3D


def view(imatinib, names=("crystal", "moved")):
    row, found = imatinib
    mols = [hits.posed(row), hits.posed(shifted(row, (1.0, 0.5, 0.0)))]
    return view3d.viewer_html(receptor_pdb(), mols, names, [found, []])


def embedded(html):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def test_a_view_holds_the_pocket_and_its_true_distances(imatinib):
    data = embedded(view(imatinib))
    assert 10 < len(data["labels"]) < 45
    ligand = np.array(data["poses"][0]["x"]).reshape(-1, 3) / 100
    mol = hits.posed(imatinib[0])
    true = mol.GetConformer().GetPositions()
    apart = np.linalg.norm(ligand[:, None] - ligand[None], axis=-1)
    assert np.allclose(apart, np.linalg.norm(true[:, None] - true[None], axis=-1), atol=0.03)
    # Not a mirror image: the handedness of four atoms that span space is kept.
    turned, straight = (np.linalg.det(xyz[[5, 15, 25]] - xyz[35]) for xyz in (ligand, true))
    assert np.sign(turned) == np.sign(straight)
    assert abs(straight) > 0.5
    lengths = [np.linalg.norm(np.subtract(*np.array(bond["x"]).reshape(2, 3))) / 100 for bond in data["poses"][0]["h"]]
    assert len(lengths) >= 5
    assert all(2.4 < length < 4.6 for length in lengths)
    assert data["poses"][1]["h"] == []
    assert view(imatinib).count('<i style="border-color') == len({bond["c"] for bond in data["poses"][0]["h"]}) == 2
    assert len(view(imatinib)) < 40_000


def test_the_view_holds_all_poses_and_labels_what_is_around_each(imatinib):
    row, _ = imatinib
    mols = [hits.posed(row), hits.posed(shifted(row, (14.0, 0.0, 0.0)))]
    data = embedded(view3d.viewer_html(receptor_pdb(), mols, ["here", "there"]))
    corners = np.concatenate([np.array(pose["x"]).reshape(-1, 3)[:, :2] / 100 for pose in data["poses"]])
    assert np.abs(corners).max(axis=0) == pytest.approx(np.array(data["extent"]) - view3d.MARGIN, abs=0.02)
    here, there = ({data["labels"][at][0] for at in pose["n"]} for pose in data["poses"])
    assert "MET318.A" in here - there
    assert there - here
    assert {label[0] for label in data["labels"]} == here | there


def test_names_cannot_leave_their_place(imatinib):
    html = view(imatinib, ("</script><img src=x onerror=alert(1)>", '"&<b>'))
    assert "<img" not in html
    assert html.count("</script>") == 1
    assert "&lt;b&gt;" in html


def test_what_does_not_fit_together_is_refused(imatinib):
    mol = hits.posed(imatinib[0])
    with pytest.raises(ValueError, match="1 poses with 2 names"):
        view3d.viewer_html(receptor_pdb(), [mol], ["a", "b"])
    with pytest.raises(ValueError, match="0 poses"):
        view3d.viewer_html(receptor_pdb(), [], [])


def test_a_ligand_far_from_everything_is_shown_alone():
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    data = embedded(view3d.viewer_html(receptor_pdb(), [mol], ["alone"]))
    assert data["pocket"]["e"] == data["labels"] == []
    assert data["poses"][0]["e"] == ["C", "C", "O"]


class Browser:
    """Chromium without a screen, spoken to by its own protocol."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--window-size=900,800",
             f"--user-data-dir={folder}", "about:blank"],
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        port_file, until = folder / "DevToolsActivePort", time.monotonic() + 120
        while not (port_file.exists() and port_file.read_text().count("\n")) and time.monotonic() < until:
            time.sleep(0.1)
        port = port_file.read_text().splitlines()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            page = next(one for one in json.load(answer) if one["type"] == "page")
        self.socket = connect(page["webSocketDebuggerUrl"], max_size=None)
        self.number, self.errors = 0, []
        self.ask("Runtime.enable")
        self.ask("Log.enable")
        self.ask("Network.enable")

    def ask(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=120))
            self._note(message)
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]

    def _note(self, message):
        kind, given = message.get("method"), message.get("params", {})
        if kind == "Runtime.exceptionThrown" or (kind == "Log.entryAdded" and given["entry"]["level"] == "error"):
            self.errors.append(given)
        if kind == "Runtime.consoleAPICalled" and given["type"] == "error":
            self.errors.append(given)
        if kind == "Network.requestWillBeSent" and not given["request"]["url"].startswith(("file:", "data:")):
            self.errors.append(given["request"]["url"])

    def run(self, script):
        result = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def settle(self):
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30))))")

    def mouse(self, kind, x, y, **more):
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(30)


PIXELS = "document.querySelectorAll('canvas')[{0}].toDataURL()"
PLACE = "(() => {{ const b = document.querySelectorAll('canvas')[{0}].getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] }})()"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_view_turns_zooms_and_switches_in_a_browser(imatinib, tmp_path):
    html = view(imatinib)
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><html><meta charset=utf-8>{html}{html}{view3d.assets()}</html>", encoding="utf-8")
    browser = Browser(tmp_path / "profile")
    try:
        browser.ask("Page.navigate", url=page.as_uri())
        browser.run("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")
        browser.settle()
        first, other = browser.run(PIXELS.format(0)), browser.run(PIXELS.format(1))
        assert first == other
        assert _colours(first) > 50  # it drew something

        x, y = browser.run(PLACE.format(0))
        browser.mouse("mousePressed", x, y, button="left", clickCount=1)
        browser.mouse("mouseMoved", x + 80, y + 30, button="left", buttons=1)
        browser.mouse("mouseReleased", x + 80, y + 30, button="left", clickCount=1)
        browser.settle()
        turned = browser.run(PIXELS.format(0))
        assert turned != first
        assert browser.run(PIXELS.format(1)) == other  # the other view stays as it was

        browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300)
        browser.settle()
        zoomed = browser.run(PIXELS.format(0))
        assert zoomed != turned

        points = [{"x": x, "y": y}, {"x": x + 40, "y": y}]
        browser.ask("Input.dispatchTouchEvent", type="touchStart", touchPoints=points)
        browser.ask("Input.dispatchTouchEvent", type="touchMove", touchPoints=[points[0], {"x": x + 120, "y": y}])
        browser.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        browser.settle()
        pinched = browser.run(PIXELS.format(0))
        assert pinched != zoomed

        for button in ("[data-pose='1']", "[data-labels]", "[data-night]"):
            before = browser.run(PIXELS.format(0))
            browser.run(f'document.querySelector("button{button}").click()')
            browser.settle()
            assert browser.run(PIXELS.format(0)) != before, button
        assert browser.run("document.querySelector('figure').dataset.pose") == "1"
        assert browser.run("document.querySelector('figure').dataset.theme") == "dark"
        assert browser.run("document.querySelectorAll('figure')[1].dataset.theme") == "light"
        assert browser.errors == []
    finally:
        browser.close()


def _colours(url):
    from matplotlib.image import imread

    pixels = imread(io.BytesIO(base64.b64decode(url.split(",")[1])), format="png")
    return len(np.unique((pixels * 255).astype(int).reshape(-1, pixels.shape[-1]), axis=0))
