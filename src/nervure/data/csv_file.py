"""Read CSV as it comes: other separators, decimal commas and UTF-16 where they are certain."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from nervure.errors import DataError

EXPECTED = "expected commas between columns, decimal points and UTF-8"

_BLOCK = 1 << 20  # bytes
_SEPARATORS = {";": "semicolons", "\t": "tabs"}
# A comma that no thousands are written with: 3,5 or 0,125 or 1234,500, but not 1,200.
_DECIMAL_COMMA = r",(\d{0,2}|\d{4,})([eE][-+]?\d+)?\s*$|\d{4,},|^\s*[-+]?0?,"


def read_csv(path: Path, texts: Collection[str] = ()) -> tuple[pa.Table, tuple[str, ...]]:
    """Read a CSV file, packed by gzip where its name says so.

    Parameters
    ----------
    path : Path
        Commas between columns, decimal points, UTF-8; or UTF-16 with its mark. Semicolons or tabs
        are taken for separators where the first line has several columns by them and one by commas,
        and then decimal commas too where no column has decimal points.
    texts : collection of str
        Columns to be read as text, whatever they look like.

    Returns
    -------
    table : pyarrow.Table
    messages : tuple of str
        One sentence where the file was not as expected.

    Raises
    ------
    DataError
        If the file is not text in UTF-8 or UTF-16, or its rows differ in length.
    OSError
        If it cannot be read or unpacked.
    """
    line, encoding = _first_line(path)
    separator = _separator(line)
    read = partial(_parsed, path, encoding, separator, texts)
    ways = [f"{_SEPARATORS[separator]} between columns"] if separator != "," else []
    try:
        table = read(".")
        if separator != "," and any(map(pa.types.is_string, table.schema.types)):
            commas = read(",")
            if _has_decimal_commas(table, commas):
                table = commas
                ways.append("decimal commas")
    except pa.ArrowInvalid as error:
        found = [repr(mark) for mark in _SEPARATORS if mark in line and mark != separator]
        hint = f" (its first line holds {' and '.join(found)}; {EXPECTED})" if found else ""
        raise DataError(f"cannot read {path.name}: {error}{hint}") from error
    if encoding != "utf-8":
        ways.append("encoded as UTF-16")
    return table, ((f"{path.name} read with {', '.join(ways)}",) if ways else ())


def _first_line(path: Path) -> tuple[str, str]:
    """Give the first line and the encoding, which is checked to the end of the file."""
    with pa.input_stream(str(path)) as stream:
        block = stream.read(_BLOCK)
        marked = block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        encoding = "utf-16" if marked else "utf-8"
        decoder = codecs.getincrementaldecoder(encoding)()
        line, lines = "", 1
        while True:
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                raise DataError(_not_decoded(path.name, error, lines)) from error
            if not line.endswith("\n"):
                # Arrow skips empty lines, and Excel writes a mark before UTF-8.
                line = (line + text).lstrip("\ufeff\r\n")
                line = re.split(r"(?<=[\r\n])", line, maxsplit=1)[0].replace("\r", "\n")
            lines += text.count("\n")
            if not block:
                break
            block = stream.read(_BLOCK)
    if "\0" in line:
        raise DataError(
            f"{path.name} holds zero bytes in its first line, as UTF-16 without its mark does; "
            f"save it as UTF-8 ({EXPECTED})"
        )
    return line, encoding


def _not_decoded(name: str, error: UnicodeDecodeError, lines: int) -> str:
    if error.encoding != "utf-8":
        return f"{name} begins as UTF-16 does but is not ({error.reason}); save it as UTF-8"
    byte = error.object[error.start : error.start + 1]
    number = lines + error.object[: error.start].count(b"\n")
    return (
        f"{name} is not UTF-8: line {number} holds the byte 0x{byte.hex()}, in Latin-1 "
        f"{byte.decode('latin-1')!r}; save it as UTF-8, for example by "
        f"'iconv -f latin1 -t utf-8' ({EXPECTED})"
    )


def _separator(line: str) -> str:
    bare = re.sub(r'"[^"]*"', "", line)
    found = [mark for mark in _SEPARATORS if mark in bare]
    return found[0] if len(found) == 1 and "," not in bare else ","


def _parsed(
    path: Path, encoding: str, separator: str, texts: Collection[str], decimal_point: str
) -> pa.Table:
    return pyarrow.csv.read_csv(
        path,
        # Only a reader on one thread knows the number of the row it fails at.
        read_options=pyarrow.csv.ReadOptions(use_threads=False, encoding=encoding),
        parse_options=pyarrow.csv.ParseOptions(delimiter=separator),
        convert_options=pyarrow.csv.ConvertOptions(
            strings_can_be_null=True,
            decimal_point=decimal_point,
            column_types=dict.fromkeys(texts, pa.string()),
        ),
    )


def _has_decimal_commas(points: pa.Table, commas: pa.Table) -> bool:
    """Whether commas in numbers are certain: no decimal points, and not all may be thousands."""
    pairs = [
        (column, *map(pa.types.is_floating, (column.type, other.type)))
        for column, other in zip(points.columns, commas.columns, strict=True)
    ]
    if any(was and not now for _, was, now in pairs):
        return False
    gained = [column for column, was, now in pairs if now and not was]
    return any(
        pyarrow.compute.any(pyarrow.compute.match_substring_regex(c, _DECIMAL_COMMA)).as_py()
        for c in gained
        if pa.types.is_string(c.type)
    )
