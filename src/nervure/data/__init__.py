"""Data by name or from a file: loaded, split and encoded."""

from nervure.data.colour_images import COLOUR_IMAGES, ColourImages, colour_images
from nervure.data.composed import ComposedImages, hierarchical_digits, two_digits
from nervure.data.dataset import Dataset
from nervure.data.encoding import ArrayEncoder, TableEncoder
from nervure.data.prepare import Prepared, TableSource, open_source, prepare
from nervure.data.registry import DatasetInfo, list_datasets, load
from nervure.data.splits import Split, split_rows
from nervure.data.stored_encoding import encoder_from_json
from nervure.data.tables import Column, Table, detect_task, read_table

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
    "colour_images",
    "detect_task",
    "encoder_from_json",
    "hierarchical_digits",
    "list_datasets",
    "load",
    "open_source",
    "prepare",
    "read_table",
    "split_rows",
    "two_digits",
]
