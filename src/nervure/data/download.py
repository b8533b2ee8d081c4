"""Fetch official files once, checked, with a progress bar."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.request import urlopen

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from nervure.data.catalogue import Official
from nervure.errors import DataError

Opener = Callable[[str], Any]
_BLOCK = 1 << 18
_TIMEOUT_S = 60


def _open(url: str) -> IO[bytes]:
    response: IO[bytes] = urlopen(url, timeout=_TIMEOUT_S)
    return response


def file_checksum(path: Path, algorithm: str) -> str:
    """Checksum of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def fetch(official: Official, folder: Path, *, opener: Opener = _open) -> Path:
    """Give the local copy of an official file, downloading it if it is not there.

    Parameters
    ----------
    official : Official
        What to fetch.
    folder : Path
        Where it is kept.
    opener : callable
        Opens a URL for reading; `urllib.request.urlopen` by default.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If the download fails, breaks off, or does not match its checksum; no partial file stays.

    Notes
    -----
    Where the publisher gives no checksum, that of the first download is written beside the file,
    and the file must match it ever after.
    """
    path = folder / official.filename
    recorded = path.with_name(path.name + ".sha256")
    expected = official.checksum
    if expected is None and recorded.exists():
        expected = f"sha256:{recorded.read_text().strip()}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            _download(official.url, path, partial, opener)
            _check(partial, expected, official.url)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    else:
        _check(path, expected, official.url)
    if expected is None:
        digest = file_checksum(path, "sha256")
        recorded.write_text(digest + "\n")
        Console(file=sys.stderr).print(
            f"{path.name}: its publisher gives no checksum; sha256 {digest} is recorded, and later "
            "loads must match it",
            highlight=False,
        )
    return path


def _download(url: str, path: Path, partial: Path, opener: Opener) -> None:
    try:
        with opener(url) as response, partial.open("wb") as file:
            length = (
                response.headers.get("Content-Length") if hasattr(response, "headers") else None
            )
            total = int(length) if length else None
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=Console(file=sys.stderr)) as progress:
                task = progress.add_task(url.rsplit("/", 1)[-1], total=total)
                received = 0
                while block := response.read(_BLOCK):
                    file.write(block)
                    received += len(block)
                    progress.update(task, completed=received)
            if total is not None and received != total:
                raise DataError(
                    f"the download of {url} broke off after {received:,} of {total:,} bytes; "
                    "run the same command again"
                )
    except (OSError, HTTPException) as error:
        raise DataError(
            f"cannot download {url}: {error}; check the connection, or save that file as {path}, "
            "or set the environment variable NERVURE_DATA to a folder of repacked files"
        ) from error


def _check(path: Path, expected: str | None, url: str) -> None:
    if expected is None:
        return
    algorithm, digest = expected.split(":")
    found = file_checksum(path, algorithm)
    if found != digest:
        raise DataError(
            f"{path.name} from {url} has {algorithm} {found}, expected {digest}: the file is "
            "damaged or was replaced; delete it and try again"
        )
