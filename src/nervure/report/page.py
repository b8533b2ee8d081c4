"""The frame of a report: template, style sheet, sections and pictures."""

from __future__ import annotations

from string import Template

from matplotlib.figure import Figure

from nervure.report.style import FAINT, INK, NEGATIVE, PAPER, POSITIVE, inline_svg
from nervure.report.words import escape

# Colours of the dark page; the light ones are those of the figures themselves.
_STYLE = Template(
    """
:root { color-scheme: light dark; --ink: $ink; --paper: $paper; --faint: $faint;
  --positive: $positive; --negative: $negative; --line: #d9d9d6; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececea; --paper: #17181a; --faint: #94959a;
  --positive: #6aa9f4; --negative: #f2a14d; --line: #3a3b3f; } }
@media print { :root { color-scheme: light; --ink: #000000; --paper: #ffffff; --faint: #777777;
  --positive: $positive; --negative: $negative; --line: #cccccc; }
  figure, table.facts { break-inside: avoid; } h2 { break-after: avoid; }
  details { display: none; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .4rem; padding-top: .7rem;
  border-top: 1px solid var(--line); }
p { margin: .4rem 0; max-width: 44rem; }
.quiet { color: var(--faint); font-size: .92rem; }
.note { border-left: 4px solid var(--negative); padding: .3rem .8rem; margin: .8rem 0;
  overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .9rem 1.5rem;
  margin: 1.4rem 0 0; }
dt { color: var(--faint); font-size: .86rem; }
dd { margin: 0; font-size: 1.3rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
dd small { display: block; font-size: .86rem; color: var(--faint); }
figure { margin: .8rem 0 0; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { font-size: .92rem; max-width: 44rem; margin-top: .3rem; }
table { border-collapse: collapse; font-size: .92rem; }
table.facts { width: 100%; margin-top: .8rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { text-align: left; padding: .22rem .9rem .22rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
table.facts th { font-weight: 400; color: var(--faint); width: 14rem; }
table.numbers th, table.numbers td { text-align: right; overflow-wrap: normal;
  font-variant-numeric: tabular-nums; }
table.whole td { white-space: nowrap; }
.wide { overflow-x: auto; margin-top: .8rem; }
summary { cursor: pointer; margin-top: 1rem; }
"""
)

_PAGE = Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="nervure">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
$body
</main>
</body>
</html>
"""
)


def page(title: str, body: str) -> str:
    """Put the body of a report into its page.

    Parameters
    ----------
    title, body : str
        HTML; already escaped.

    Returns
    -------
    str
    """
    style = _STYLE.substitute(
        ink=INK, paper=PAPER, faint=FAINT, positive=POSITIVE, negative=NEGATIVE
    )
    return _PAGE.substitute(title=title, style=style, body=body)


def section(name: str, heading: str, *content: str) -> str:
    """Put HTML under a heading; the name is unique in the page."""
    inner = "\n".join(content)
    return (
        f'<section aria-labelledby="h-{name}"><h2 id="h-{name}">{escape(heading)}</h2>\n'
        f"{inner}</section>"
    )


def picture(figure: Figure, name: str, description: str, caption: str) -> str:
    """Put a figure above its caption; name and description are as for `inline_svg`."""
    svg = inline_svg(figure, name=name, description=description)
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
