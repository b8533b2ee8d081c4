"""Going on with a run: what it was asked for, and that nothing else is trained instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from nervure.data import Prepared
from nervure.data.fingerprint import fingerprint
from nervure.errors import RunError
from nervure.jobs.request import ELSEWHERE, TrainRequest
from nervure.training import json_values
from nervure.training.run import Run

Request = TypeVar("Request", bound=TrainRequest)


def asked(method: str, request: TrainRequest, data: Prepared) -> dict[str, Any]:
    """Say what a run was asked for, as its folder keeps it.

    Returns
    -------
    dict
        "method"; "arguments", those of the request, with the path of a file made absolute; and
        "data", a hash of its rows.
    """
    arguments = {k: v for k, v in asdict(request).items() if k not in ELSEWHERE}
    if Path(request.data).is_file():
        arguments["data"] = str(Path(request.data).absolute())
    return {"method": method, "arguments": arguments, "data": fingerprint(data)}


def request_of(folder: Path, method: str, kind: type[Request]) -> Request:
    """Give the request that a run was made by, to go on with it.

    Parameters
    ----------
    folder : Path
    method : str
        That which is to go on, as in ``nervure train METHOD``.
    kind : type
        Its class of requests.

    Raises
    ------
    RunError
        If there is no such run, or another method made it, or one that cannot be gone on with.
    """
    with Run.open(folder) as run:
        known = run.request
    if known is None:
        raise RunError(
            f"the run in {folder} does not say what it was asked for: it was killed as it began, "
            "or made without nervure train; begin anew, with --force to replace it"
        )
    if known.get("method") != method:
        raise RunError(
            f"the run in {folder} was made by nervure train {known.get('method')}, not {method}; "
            f"go on with: nervure train {known.get('method')} --resume {folder}"
        )
    names = {field.name for field in fields(kind)}
    given = known.get("arguments")
    strange = sorted(given.keys() - names) if isinstance(given, Mapping) else ["arguments"]
    if not isinstance(given, Mapping) or strange:
        raise RunError(
            f"the run in {folder} was made by another nervure: unknown {', '.join(strange)}; go on "
            "with that one, or begin anew"
        )
    # JSON has no tuples.
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    made = cast(Request, cast(Any, kind)(**arguments))
    return replace(made, out=folder, resume=True)


def resumed(folder: Path, now: Mapping[str, Any]) -> Run:
    """Open a run to go on with it.

    Parameters
    ----------
    folder : Path
    now : mapping
        As from `asked`.

    Raises
    ------
    RunError
        If it was asked for something else, or its data has changed since.
    """
    with Run.open(folder) as run:
        before = run.request or {}
    # As it comes back from a folder.
    now = json_values.loads(json_values.dumps(now))
    old, new = before.get("arguments", {}), now["arguments"]
    other = [name for name in new if old.get(name) != new[name]]
    if before.get("method") != now["method"] or other:
        raise RunError(
            f"the run in {folder} is another one ({', '.join(other) or before.get('method')}): go "
            "on with what it was asked for, or begin anew in another folder"
        )
    if before.get("data") != now["data"]:
        raise RunError(
            f"the data of the run in {folder} is not what it was when it began: restore it, or "
            "begin anew in another folder"
        )
    return Run.resume(folder)
