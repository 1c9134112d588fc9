"""Figures drawn from the code's own tables, for pages to quote: `<!-- generated: tools.figures:... -->`."""

from __future__ import annotations

from textwrap import wrap

from benchmarks import exit_matrix as exits
from otlp_kit.processors.buffer import TRANSITIONS
from tests.adapters.contract_cases import CASES
from tools import facts


def processor_states() -> str:
    """The states of the batch buffer as a Mermaid diagram.

    Events with the same effect share an arrow; events that change nothing stand inside their state.
    """
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, event, after in TRANSITIONS:
        arrows.setdefault((state, after), []).append(event)
    lines = ["stateDiagram-v2", f"    [*] --> {TRANSITIONS[0][0]}"]
    for (state, after), events in arrows.items():
        if state == after:
            lines.append(f"    {state}: {'<br>↻ '.join([state, *events])}")
        else:
            label = "<br>or ".join("<br>".join(wrap(event, 12)) for event in events)
            lines.append(f"    {state} --> {after}: {label}")
    ends = {after for _, _, after in TRANSITIONS} - {state for state, _, _ in TRANSITIONS}
    lines += [f"    {state} --> [*]" for state in sorted(ends)]
    return "\n".join(lines)


def exit_matrix() -> str:
    """What became of the spans at each end of a process, as the last run of the benchmark saw it."""
    return exits.table({name: fact.value for name, fact in facts.load().items()})


def contract() -> str:
    """Each line of the contract, and what the official classes and the kit's do; tests observe both."""
    rows = [("", "official", "kit"), *((one.line, one.official, one.kit) for one in CASES)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{a:{widths[0]}}  {b:{widths[1]}}  {c}".rstrip() for a, b, c in rows)
