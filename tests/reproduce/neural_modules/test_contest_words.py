"""What a table says of trainings that failed or were over time."""

from nervure.reproduce.neural_modules.contest_words import error_text, remarks


def trainings(*results):
    return [
        (
            {"kind": "training", "method": "deq", "data": "gas", "target": "classes", "nodes": 80,
             "seed": seed},
            result,
        )
        for seed, result in enumerate(results)
    ]  # fmt: skip


def ended(error, *, late=False, **more):
    return {"test_error": error, "over_time": late, **more}


BROKEN = {"failed": "EngineError: it broke"}


def text_of(*results):
    return error_text(trainings(*results), "deq", "gas", 80)


def test_every_training_is_accounted_for():
    assert text_of() == "not run"
    assert text_of(BROKEN, BROKEN) == "failed"
    assert text_of(ended(0.1), ended(0.2)) == "0.1500 ± 0.0707"
    assert text_of(ended(0.1, late=True), ended(0.2)) == "0.1500 ± 0.0707, over time 1 of 2"
    assert text_of(ended(0.1, late=True)) == "over time (0.1000)"
    assert text_of(ended(0.1, late=True), BROKEN) == "over time (0.1000), failed 1 of 2"
    assert text_of(ended(0.1, late=True), ended(0.1), BROKEN) == (
        "0.1000 ± 0.0000, over time 1 of 3, failed 1 of 3"
    )


def test_only_trainings_of_the_place_count():
    found = trainings(ended(0.1))
    assert error_text(found, "deq", "gas", 100) == "not run"
    assert error_text(found, "deq", "codon", 80) == "not run"
    assert error_text(found, "nn", "gas", 80) == "not run"
    assert error_text(found, "deq", "gas", 80, "binary") == "not run"
    search = {**found[0][0], "kind": "search"}
    assert error_text([(search, {"validation_error": 0.1})], "deq", "gas", 80) == "not run"


def test_remarks_say_what_the_table_does_not():
    found = trainings(ended(0.1, late=True, lost=3), ended(0.2, lost=4), BROKEN)
    trials = [{"seconds": 31.0}, {"seconds": 12.0}]
    search = {**found[0][0], "kind": "search", "seconds": 30.0}
    found.append((search, {"trials": trials}))
    failed, late, short, lost = remarks(found, {"deq": "DEQ", "nn": "NN"})
    assert failed == "failed: DEQ, gas, 80 nodes, seed 2: EngineError: it broke"
    assert late.startswith("trainings over time: DEQ 1 of 2; their errors are")
    assert short == "trials of searches that the time budget ended: DEQ 1 of 2"
    assert lost.endswith("left out of their training step: 7")
    assert not remarks(trainings(ended(0.1)), {"deq": "DEQ"})
