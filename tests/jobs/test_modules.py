"""Modules of a network from its file, and the files written of them."""

import json

import networkx as nx
import pytest
from safetensors.torch import save_file

from nervure.errors import RunError, TopologyError
from nervure.jobs import ModulesRequest, find_modules, write_modules
from nervure.jobs.modules import FILES
from nervure.modules import BOOLEAN_THRESHOLD
from nervure.training.model_file import save_model

from .hand_made import FORMULAS, sparse, state


@pytest.fixture
def weights(tmp_path):
    save_file(state(), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def formulas_of(found):
    return {f["name"]: f["of_inputs"] for m in found.to_json()["modules"] for f in m["formulas"]}


def test_all_that_was_found_as_json(weights):
    found = find_modules(ModulesRequest(weights))
    facts = json.loads(json.dumps(found.to_json()))
    assert formulas_of(found) == FORMULAS
    assert (facts["nodes"], facts["edges"], facts["dropped_nodes"]) == (12, 12, 0)
    assert (facts["threshold"], facts["merge_share"], facts["levels"]) == (-0.2, 0.9, 2)
    first, *_, last = facts["modules"]
    assert first["name"] == "M1"
    assert first["nodes"] == [0, 1, 6]
    assert first["feeds"] == {"M4": 1, "M5": 1}
    assert (last["takes_in"], last["depends_on"]) == ([], ["x2", "x3", "x4", "x5"])
    assert (last["gives"], last["reads"], last["level"]) == (["y2"], {"M2": 1, "M3": 1}, 1)
    assert last["formulas"][0]["of_signals"] == "M2 | M3"
    assert found.notes[-1] == (
        "Formulas hold for inputs of 0 and 1, with relu between the layers (--activation)."
    )


def test_formulas_are_written_if_asked_for_or_known_to_hold(tmp_path, weights):
    assert formulas_of(find_modules(ModulesRequest(weights, formulas=False))) == {}
    save_model(tmp_path / "model.safetensors", sparse(), metadata={})
    quiet = find_modules(ModulesRequest(tmp_path))
    assert formulas_of(quiet) == {}
    assert quiet.notes[0].startswith("Formulas are left out")
    assert formulas_of(find_modules(ModulesRequest(tmp_path, formulas=True))) == FORMULAS
    save_model(tmp_path / "model.safetensors", sparse(), metadata={"training": {"boolean": True}})
    assert formulas_of(find_modules(ModulesRequest(tmp_path))) == FORMULAS


def test_a_run_keeps_the_options_it_found_its_modules_by(tmp_path):
    settings = {"module_threshold": -0.25, "merge_share": 0.7}
    save_model(tmp_path / "model.safetensors", sparse(), metadata={"training": settings})
    found = find_modules(ModulesRequest(tmp_path))
    assert (found.request.threshold, found.detection.threshold) == (-0.25, -0.25)
    assert found.detection.merge_share == 0.7
    assert find_modules(ModulesRequest(tmp_path, threshold=-0.1)).detection.threshold == -0.1
    save_model(tmp_path / "model.safetensors", sparse(), metadata={"training": "damaged"})
    assert find_modules(ModulesRequest(tmp_path)).detection.threshold == BOOLEAN_THRESHOLD


def test_options_reach_the_detection(weights):
    found = find_modules(ModulesRequest(weights, threshold=-0.3, merge_share=0.6))
    assert (found.detection.threshold, found.detection.merge_share) == (-0.3, 0.6)
    with pytest.raises(TopologyError, match="threshold"):
        find_modules(ModulesRequest(weights, threshold=0.5))


def test_names_come_from_a_file(tmp_path, weights):
    path = tmp_path / "names.json"
    path.write_text(json.dumps({"inputs": list("abcdef")}))
    found = find_modules(ModulesRequest(weights, names=path))
    assert formulas_of(found)["y0"] == "(a & b) | (c & d)"
    for text, message in (
        ("[]", "expected a JSON object"),
        ('{"inputs": [1]}', "expected a JSON object"),
        ('{"input": []}', "expected a JSON object"),
        ("a,b", "is no JSON"),
    ):
        path.write_text(text)
        with pytest.raises(RunError, match=message):
            find_modules(ModulesRequest(weights, names=path))
    path.write_text('{"outputs": ["a"]}')
    with pytest.raises(TopologyError, match="output_names: expected 3 names"):
        find_modules(ModulesRequest(weights, names=path))
    with pytest.raises(RunError, match="cannot read names"):
        find_modules(ModulesRequest(weights, names=tmp_path / "nowhere"))


def test_files_hold_what_was_found_and_are_not_replaced(tmp_path, weights):
    found = find_modules(ModulesRequest(weights))
    folder = tmp_path / "new" / "folder"
    paths = write_modules(found, folder)
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES) == sorted(paths)
    assert json.loads((folder / "modules.json").read_text()) == found.to_json()
    graph = nx.read_graphml(folder / "hierarchy.graphml")
    assert {(a, b): e for a, b, e in graph.edges(data="edges")} == {
        (m.name, target): edges
        for m in found.hierarchy.modules for target, edges in m.feeds.items()
    }  # fmt: skip
    assert (folder / "modules.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "hierarchy.svg").read_text()
    with pytest.raises(RunError, match=r"modules\.svg exists; pass --force"):
        write_modules(found, folder)
    write_modules(found, folder, force=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write to"):
        write_modules(found, tmp_path / "file")
