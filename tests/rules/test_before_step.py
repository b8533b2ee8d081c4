"""When work at a step is done: once the gradients are there, and before the optimizer moves."""

import pytest
import torch

from nervure.rules.before_step import before_step


class Told(torch.optim.Optimizer):
    """Calls its closure as often as it is told, and says when it moves."""

    def __init__(self, events):
        super().__init__([torch.nn.Parameter(torch.zeros(1))], {})
        self.events = events

    def step(self, closure=None, times=1):
        found = [closure() for _ in range(times)] if closure is not None else None
        self.events.append("move")
        return found


def watched(**options):
    events = []
    optimizer = Told(events)
    handle = before_step(
        optimizer, lambda o, by: events.append((o is optimizer, by)), **options
    )  # fmt: skip

    def closure():
        events.append("gradient")
        return 7.0

    return optimizer, closure, events, handle


def test_without_a_closure_it_is_done_before_the_step():
    optimizer, _, events, handle = watched()
    optimizer.step()
    assert events == [(True, False), "move"]
    handle.remove()
    optimizer.step()
    assert events == [(True, False), "move", "move"]


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("by_name", [False, True])
def test_with_a_closure_it_is_done_after_it(by_name, each):
    optimizer, closure, events, _ = watched(each=each)
    once, later = ["gradient", (True, True)], ["gradient", (True, True)] if each else ["gradient"]
    for _ in range(2):
        events.clear()
        found = optimizer.step(closure=closure, times=3) if by_name else optimizer.step(closure, 3)
        assert found == [7.0] * 3
        assert events == [*once, *later, *later, "move"]


def test_what_wants_to_be_first_is():
    optimizer, closure, events, _ = watched()
    before_step(optimizer, lambda *_: events.append("first"), first=True)
    optimizer.step()
    assert events == ["first", (True, False), "move"]
    events.clear()
    optimizer.step(closure)
    assert events == ["gradient", "first", (True, True), "move"]
