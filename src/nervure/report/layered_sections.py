"""The parts of a report that only networks wired layer by layer have; importance of features."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from nervure.report.exploration import MOST_CELLS
from nervure.report.importance import fits_image, importance_bars, importance_image
from nervure.report.layers import (
    DIRECTIONS,
    chosen_layers,
    chosen_snapshots,
    degree_history,
    density_history,
    edges_between,
    layer_degrees,
    layer_names,
    pair_names,
)
from nervure.report.material import Material
from nervure.report.page import picture, section
from nervure.report.words import escape, metrics_table, number, percent, plural

_MOST_UPDATES = 12  # listed; of more, the first and the last six
_PAIR_COLUMNS = (
    ("name", "from → to"),
    ("edges", "edges"),
    ("possible", "of possible"),
    ("density", "density"),
    ("epsilon", "epsilon"),
    ("rewired", "rewired in all"),
    ("pruned", "pruned in all"),
    ("grown", "grown in all"),
    ("kept", "still there from the start"),
    ("tried", "possible ones ever there"),
)
_UPDATE_COLUMNS = (
    ("step", "step"),
    ("epoch", "epoch"),
    ("pruned", "pruned"),
    ("grown", "grown"),
    ("new", "of these never there before"),
)


def layers(material: Material) -> str:
    """List the edges between each two layers, and draw them where their number changes."""
    sizes = material.sizes
    if not sizes:
        return ""
    counts = [edges_between(topology, sizes) for _, topology in material.snapshots]
    epoch = material.snapshots[-1][0]
    names = zip(layer_names(len(sizes)), sizes, strict=True)
    text = (
        f"The layers, {', '.join(f'{name} ({size:,})' for name, size in names)}, as recorded in "
        f"{material.period} {epoch}. Epsilon is edges over the nodes of both layers."
    )
    if material.exploration is not None:
        text += (
            " The last columns: how many of the edges of the start are still there, or again, and "
            "how many of the possible edges were there at some time."
        )
    elif sum(n * m for n, m in pairwise(sizes)) > MOST_CELLS:
        text += " So many edges are possible that it was not counted which were there at some time."
    content = [
        metrics_table(_pairs(material, counts[-1]), _PAIR_COLUMNS, caption="Edges by layer"),
        f"<p>{escape(text)}</p>",
    ]
    if any((count != counts[0]).any() for count in counts):
        first, last = int(counts[0].sum()), int(counts[-1].sum())
        caption = (
            f"Density between each two layers. All in all, {plural(first, 'edge')} in "
            f"{material.period} {material.snapshots[0][0]} became {number(last)} in "
            f"{material.period} {epoch}."
        )
        figure = density_history(material.snapshots, sizes, period=material.period)
        content.append(picture(figure, "density", caption, caption))
    elif len(counts) > 1:
        content.append("<p>The number of edges between two layers was the same all along.</p>")
    return section("layers", "Layers", *content)


def _pairs(material: Material, edges: np.ndarray[Any, np.dtype[np.int64]]) -> list[dict[str, Any]]:
    """Numbers of each two layers, and of all."""
    columns: dict[str, list[int]] = {
        "edges": edges.tolist(),
        "possible": [n * m for n, m in pairwise(material.sizes)],
        "nodes": [n + m for n, m in pairwise(material.sizes)],
    }
    found = material.exploration
    if found is not None:
        for key in ("pruned", "grown", "start", "kept", "tried"):
            columns[key] = getattr(found, key).tolist()
    rows: list[dict[str, Any]] = [
        {"name": name, **{key: values[i] for key, values in columns.items()}}
        for i, name in enumerate(pair_names(len(material.sizes)))
    ]
    if len(rows) > 1:
        rows.append({"name": "all", **{key: sum(values) for key, values in columns.items()}})
    constant = found is not None and np.array_equal(found.pruned, found.grown)
    for row in rows:
        row["name"] = row["name"].replace(" ", "\N{NO-BREAK SPACE}")
        row["density"] = percent(row["edges"] / row["possible"])
        row["epsilon"] = f"{row['edges'] / row['nodes']:.3g}"
        if found is not None:
            row["kept"] = percent(row["kept"] / row["start"]) if row["start"] else None
            row["tried"] = percent(row["tried"] / row["possible"])
        if constant:
            row["rewired"] = row.pop("pruned")
            del row["grown"]
    return rows


def degrees(material: Material) -> str:
    """Show how the degrees of hidden nodes were distributed, and became."""
    sizes = material.sizes
    if len(sizes) <= 2 or not any(topology.num_edges for _, topology in material.snapshots):
        return ""
    shown, picked = chosen_layers(sizes), chosen_snapshots(material.snapshots)
    names = layer_names(len(sizes))
    rows: list[dict[str, Any]] = []
    for layer in shown:
        for which in DIRECTIONS:
            row: dict[str, Any] = {"layer": names[layer].replace(" ", "\N{NO-BREAK SPACE}")}
            row["edges"] = which
            for epoch, topology in picked:
                values = layer_degrees(topology, sizes, layer, which)
                row["mean"] = f"{values.mean():.3g}"
                row[f"most {epoch}"] = int(values.max())
            rows.append(row)
    columns = [("layer", "layer"), ("edges", "edges"), ("mean", "mean at last")]
    columns += [(f"most {epoch}", f"most, {material.period} {epoch}") for epoch, _ in picked]
    caption = (
        "Share of the nodes that have at least so many edges, on logarithmic axes. Random wiring "
        "ends in a cliff, as the dotted line does; in scale-free wiring a few nodes have very many "
        "edges, and the line is straight."
    )
    if len(shown) < len(sizes) - 2:
        caption += f" Of {len(sizes) - 2} hidden layers, {len(shown)} are drawn."
    most = "; ".join(
        f"{row['layer']}, {row['edges']}, "
        + ", ".join(
            f"{number(row[f'most {epoch}'])} in {material.period} {epoch}" for epoch, _ in picked
        )
        for row in rows
    )
    described = f"Distributions of the degrees of hidden nodes. Most edges of a node: {most}."
    figure = degree_history(material.snapshots, sizes, period=material.period)
    return section(
        "degrees", "Degrees", picture(figure, "degrees", described, caption),
        metrics_table(rows, columns, caption="Edges of a node"),
    )  # fmt: skip


def update_log(material: Material) -> str:
    """List the updates of the wiring, and say how much of what is possible they tried."""
    found = material.exploration
    if found is None:
        return ""
    rows: list[dict[str, Any]] = [update._asdict() for update in found.updates]
    which = "All updates"
    if len(rows) > _MOST_UPDATES:
        which = f"The first and the last of {len(rows):,} updates"
        gap = {key: "…" for key, _ in _UPDATE_COLUMNS}
        rows = [*rows[: _MOST_UPDATES // 2], gap, *rows[-_MOST_UPDATES // 2 :]]
    possible = sum(n * m for n, m in pairwise(material.sizes))
    tried, start = int(found.tried.sum()), int(found.start.sum())
    text = (
        f"Of {possible:,} possible edges, {tried:,} ({percent(tried / possible)}) were there at "
        f"some time: {start:,} from the start, and {tried - start:,} that updates tried."
    )
    return section(
        "updates",
        "Updates one by one",
        f"<p>{escape(text)}</p>",
        metrics_table(rows, _UPDATE_COLUMNS, caption=which),
    )


def importance(material: Material) -> str:
    """Show how much each feature matters, as an image where they are pixels."""
    values = np.array(material.importances)
    if not len(values):
        return ""
    ranked = np.sort(values)[::-1]
    strong = -(-len(values) // 10)
    caption = (
        f"What the network makes of its {plural(len(values), 'feature')}: the strongest tenth "
        f"({number(strong)}) has {percent(float(ranked[:strong].sum()))} of all importance."
    )
    shape = material.config.get("image_shape")
    if isinstance(shape, list) and fits_image(len(values), shape):
        figure = importance_image(values, shape)
        image = values.reshape(shape[0], shape[1], -1).sum(axis=2)
        best = np.unravel_index(int(image.argmax()), image.shape)
        described = f"{caption} The strongest pixel is in row {best[0]}, column {best[1]}."
    else:
        figure = importance_bars(values, material.feature_names)
        strongest = np.argsort(-values, kind="stable")[:3]
        named = ", ".join(material.feature_names[i] for i in strongest)
        described = f"{caption} The strongest: {named}."
    return section(
        "importance", "Importance of the features",
        picture(figure, "importance", described, caption),
    )  # fmt: skip
