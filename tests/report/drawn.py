"""Wirings to draw, and what stands in a drawing."""

from nervure import Topology
from nervure.modules import Hierarchy, detect_modules

# Two ANDs, of which the first is read by two outputs; node 3 is an input of the second level.
PAIRS = [(0, 4), (1, 4), (4, 5), (4, 6), (2, 5), (3, 6)]


def found_in(pairs=PAIRS, **options):
    detection = detect_modules(Topology.from_edges(pairs, **options))
    return detection, Hierarchy.from_detection(detection)


def deep():
    """A chain of modules on four levels, each with a new input; outputs at every level."""
    pairs, last = [], 0
    node = 1
    for _ in range(4):
        pairs += [(last, node + 1), (node, node + 1), (node + 1, node + 2), (node + 1, node + 3)]
        last, node = node + 2, node + 4
    return found_in(pairs)


def texts(figure):
    """All texts of a drawing."""
    return [text.get_text() for text in figure.axes[0].texts]
