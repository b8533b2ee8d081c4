"""`replace_linear`: graphs in the place of a model's linear layers."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from torch import nn

from nervure.errors import EngineError
from nervure.networks.graph_linear import GraphLinear

# They read the weights of their linear layers themselves, past the layers' forward.
_READERS = (nn.MultiheadAttention, nn.TransformerEncoderLayer)


def replace_linear(
    model: nn.Module,
    names: Iterable[str],
    *,
    seed: int | None = None,
    **options: Any,  # noqa: ANN401
) -> nn.Module:
    """Give a copy of a model with a `GraphLinear` in the place of each named linear layer.

    Parameters
    ----------
    model : torch.nn.Module
        Stays as it is.
    names, seed, **options
        As in `replace_linear_`.

    Returns
    -------
    torch.nn.Module
        A deep copy; ``copy.get_submodule(name)`` is the layer under a name.

    Raises
    ------
    EngineError
        As in `replace_linear_`.

    Examples
    --------
    >>> from torch import nn
    >>> import nervure
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    >>> changed = nervure.replace_linear(model, ["2"], seed=0)
    >>> type(model[2]).__name__, type(changed[2]).__name__
    ('Linear', 'GraphLinear')
    """
    changed = copy.deepcopy(model)
    replace_linear_(changed, names, seed=seed, **options)
    return changed


def replace_linear_(
    model: nn.Module,
    names: Iterable[str],
    *,
    seed: int | None = None,
    **options: Any,  # noqa: ANN401
) -> dict[str, GraphLinear]:
    """Put a `GraphLinear` of the same sizes in the place of each named linear layer, in place.

    Make the optimizer afterwards: one that is there already holds the old weights.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place; not at all if there is an error.
    names : iterable of str
        Of `torch.nn.Linear` modules, as ``model.named_modules()`` has them.
    seed : int, optional
        For the initial weights, of the first; each further one counts one up.
    **options
        Of every `GraphLinear`.

    Returns
    -------
    dict of str to GraphLinear
        By name, in the order given; a module that stands under two of the names stays one. Device,
        precision and training mode are those of the layer before.

    Raises
    ------
    EngineError
        If a name is of no `torch.nn.Linear` inside the model (close ones are named), or of one
        whose weight its owner reads itself: in `torch.nn.MultiheadAttention` and
        `torch.nn.TransformerEncoderLayer`.

    Examples
    --------
    >>> from torch import nn
    >>> from nervure import replace_linear_
    >>> model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    ...                       nn.Linear(16, 10))
    >>> replace_linear_(model, ["3"], nodes=80, seed=0)["3"] is model[3]
    True
    """
    names = [names] if isinstance(names, str) else list(names)
    modules = dict(model.named_modules(remove_duplicate=False))
    found: dict[str, nn.Linear] = {}
    problems = []
    for name in names:
        module = modules.get(name) if name else None
        # Exactly: subclasses are made to be read by others, as the projection of an attention is.
        if type(module) is not nn.Linear:
            problems.append(_not_linear(name, module, modules))
        elif isinstance(owner := modules[name.rpartition(".")[0]], _READERS):
            problems.append(
                f"{name}: a {type(owner).__name__} reads the weight of its linear layers itself"
            )
        else:
            found[name] = module
    if problems:
        raise EngineError("; ".join(problems))
    made: dict[int, GraphLinear] = {}
    for linear in found.values():
        if id(linear) not in made:
            layer = GraphLinear(
                linear.in_features,
                linear.out_features,
                seed=None if seed is None else seed + len(made),
                **options,
            )
            made[id(linear)] = layer.to(linear.weight.device, linear.weight.dtype)
            layer.train(linear.training)
    for name, linear in found.items():
        owner, _, own = name.rpartition(".")
        setattr(modules[owner], own, made[id(linear)])
    return {name: made[id(linear)] for name, linear in found.items()}


def _not_linear(name: str, module: nn.Module | None, modules: dict[str, nn.Module]) -> str:
    linear = [known for known, one in modules.items() if known and type(one) is nn.Linear]
    what = "is no module" if module is None else f"is a {type(module).__name__}"
    close = get_close_matches(name, linear, n=3, cutoff=0.3)
    if not linear:
        remedy = "the model holds no torch.nn.Linear"
    elif close:
        remedy = f"did you mean {', '.join(close)}?"
    else:
        remedy = f"there are {', '.join(linear[:10])}"
    return f"{name!r} {what} of the model, expected a torch.nn.Linear: {remedy}"
