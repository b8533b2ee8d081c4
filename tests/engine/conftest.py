import pytest
import torch

from nervure import _core


@pytest.fixture(params=["v2", "v3", "v4", "generic"])
def instruction_set(request):
    before = _core.instruction_set()
    try:
        _core.use_instruction_set(request.param)
    except ValueError:
        pytest.skip(f"this CPU does not run {request.param}")
    yield request.param
    _core.use_instruction_set(before)


@pytest.fixture
def threads():
    """Put torch's number of threads back after a test that changes it."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
