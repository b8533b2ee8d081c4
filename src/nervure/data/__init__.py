"""Data by name or from a file: loaded, split and encoded."""

from nervure.data.colour_images import COLOUR_IMAGES, ColourImages, colour_images
from nervure.data.composed import ComposedImages, hierarchical_digits, two_digits
from nervure.data.dataset import Dataset
from nervure.data.encoding import ArrayEncoder, TableEncoder
from nervure.data.prepare import Prepared, TableSource, open_source, prepare
from nervure.data.registry import DatasetInfo, list_datasets, load, load_texts
from nervure.data.splits import Split, split_rows
from nervure.data.stored_encoding import encoder_from_json
from nervure.data.tables import Column, Table, detect_task, read_table
from nervure.data.texts import Texts

__all__ = [
    "COLOUR_IMAGES",
    "ArrayEncoder",
    "ColourImages",
    "Column",
    "ComposedImages",
    "Dataset",
    "DatasetInfo",
    "Prepared",
    "Split",
    "Table",
    "TableEncoder",
    "TableSource",
    "Texts",
    "colour_images",
    "detect_task",
    "encoder_from_json",
    "hierarchical_digits",
    "list_datasets",
    "load",
    "load_texts",
    "open_source",
    "prepare",
    "read_table",
    "split_rows",
    "two_digits",
]
