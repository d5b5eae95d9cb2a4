"""What was measured, as Markdown and as a plot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from spacy_finegrained_ner.benchmark.growth import AXES, OURS, THEIRS


def speed_markdown(report: dict[str, Any]) -> str:
    """Ratios with their spread and bars, words per second, memory and load time."""
    parts = [
        "# Speed",
        f"{report['words']:,} words of {report['data']}, {report['rounds']} rounds, all sides in "
        "turn in each. A ratio is the median over the rounds, with the lowest and the highest. "
        "Absolute figures are of one machine at one time.",
    ]
    for what in ("training", "prediction"):
        parts += [
            f"## {what.capitalize()}",
            _table(
                ("words/s of", "against", "ratio", "lowest", "highest", "bar"),
                [
                    (r["of"], r["to"], *_figures(r, "median", "low", "high"), _bar(r["bar"]))
                    for r in report[f"{what}_ratios"]
                ],
            ),
            _table(
                ("", "words/s, median"),
                [(name, f"{median(found):,.0f}") for name, found in report[what].items()],
            ),
        ]
    parts += [
        "## Alone in a process",
        _table(
            ("", "peak memory of training, MiB", "seconds to load, median"),
            [
                (name, f"{found['peak_mib']:,.0f}", f"{median(found['load']):.2f}")
                for name, found in report["alone"].items()
            ],
        ),
        _machine(report),
    ]
    return _page(parts)


def profile_markdown(report: dict[str, Any]) -> str:
    """Seconds and share of each part."""
    parts = [
        "# Where the time goes",
        f"{report['words']:,} words of {report['data']}; seconds for all of them, median of "
        f"{report['rounds']} rounds.",
    ]
    for what in ("training", "prediction"):
        rows = sorted(report[what].items(), key=lambda item: -item[1]["median"])
        parts += [
            f"## {what.capitalize()}",
            _table(
                ("part", "seconds", "share"),
                [(part, f"{r['median']:.3f}", f"{r['share']:.1%}") for part, r in rows],
            ),
        ]
    return _page([*parts, _machine(report)])


def annotating_markdown(report: dict[str, Any]) -> str:
    """Texts per second of the engines, and memory."""
    parts = [
        "# Annotating files",
        f"{report['texts']:,} texts of {report['data']}, {report['rounds']} rounds, all sides in "
        f"turn in each; {report['workers']} workers. A ratio is the median over the rounds.",
        _table(
            ("texts/s of", "against", "ratio", "lowest", "highest", "bar"),
            [
                (r["of"], r["to"], *_figures(r, "median", "low", "high"), _bar(r["bar"]))
                for r in report["ratios"]
            ],
        ),
        _table(
            ("", "texts/s, median"),
            [(name, f"{median(found):,.0f}") for name, found in report["rates"].items()],
        ),
    ]
    if memory := report.get("memory"):
        parts.append(
            f"Resident memory on {memory['texts']:,} texts, medians: {memory['early']:,.0f} MiB in "
            f"the second tenth, {memory['late']:,.0f} MiB in the last, {memory['growth']:+.1%} "
            f"(bar: less than {memory['bar']:.0%}); at most {memory['most']:,.0f} MiB."
        )
    return _page([*parts, _machine(report)])


def serving_markdown(report: dict[str, Any]) -> str:
    """The service, asked by one client and by many."""
    rows = [
        (
            clients,
            f"{found['requests']:,}",
            str(found["wrong"]),
            *(f"{found[key]:,.0f}" for key in ("per_second", "p50_ms", "p99_ms")),
            f"{found['mib']['early']:,.0f}",
            f"{found['mib']['late']:,.0f}",
            f"{found['mib']['most']:,.0f}",
        )
        for clients, found in report["sides"].items()
    ]
    rates = ("a second", "p50, ms", "p99, ms")
    head = ("clients", "requests", "wrong", *rates, "MiB, early", "late", "most")
    about = (
        f"Requests of one text of {report['data']}, {report['seconds']:g} seconds of each. MiB: "
        "resident, the median in the second tenth of the time and in the last; and the most."
    )
    return _page(["# The service", about, _table(head, rows), _machine(report)])


def growth_markdown(report: dict[str, Any]) -> str:
    """Time and memory at each size, ours against pytorch-crf's."""
    parts = [
        "# How the CRF grows",
        "Of 32 sentences of 16 to 32 tokens and 67 tags, one of the three numbers varies. Faster: "
        f"time of pytorch-crf over ours, median of {report['rounds']} rounds with the lowest and "
        "the highest. Memory: peak of a step above that before it.",
        "![growth](growth.svg)",
    ]
    for what in ("loss and backward", "Viterbi"):
        rows = [row for row in report["rows"] if row["what"] == what]
        parts += [
            f"## {what.capitalize()}",
            _table(
                (
                    "",
                    "ms, ours",
                    "ms, pytorch-crf",
                    "faster",
                    "lowest",
                    "highest",
                    "MiB, ours",
                    "MiB, pytorch-crf",
                ),
                [
                    (
                        f"{row['axis']} = {row['value']}",
                        *(f"{row[side]['seconds'] * 1e3:.2f}" for side in (OURS, THEIRS)),
                        *_figures(row["faster"], "median", "low", "high"),
                        *(f"{row[side]['mib']:.0f}" for side in (OURS, THEIRS)),
                    )
                    for row in rows
                ],
            ),
        ]
    return _page([*parts, _machine(report)])


def growth_plot(report: dict[str, Any], path: Path) -> None:
    """Time (above) and memory (below) against each number, both sides, logarithmic."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    axes = [axis for axis in AXES if any(row["axis"] == axis for row in report["rows"])]
    figure, grid = pyplot.subplots(
        2, len(axes), figsize=(4 * len(axes), 6.4), sharex="col", squeeze=False
    )
    styles = {
        (OURS, "loss and backward"): ("#0b6e99", "-", "o"),
        (OURS, "Viterbi"): ("#0b6e99", "--", "s"),
        (THEIRS, "loss and backward"): ("#c2410c", "-", "o"),
        (THEIRS, "Viterbi"): ("#c2410c", "--", "s"),
    }
    for column, axis in enumerate(axes):
        for (side, what), (color, line, marker) in styles.items():
            rows = [r for r in report["rows"] if (r["axis"], r["what"]) == (axis, what)]
            xs = [row["value"] for row in rows]
            for row_of_plots, ys in (
                (0, [row[side]["seconds"] * 1e3 for row in rows]),
                (1, [max(row[side]["mib"], 0.1) for row in rows]),
            ):
                grid[row_of_plots][column].plot(
                    xs, ys, line, color=color, marker=marker, markersize=4, label=f"{side}, {what}"
                )
        for plot in grid[:, column]:
            plot.set_xscale("log", base=2)
            plot.set_yscale("log")
            plot.grid(alpha=0.25)
            plot.set_xticks(AXES[axis], [str(value) for value in AXES[axis]])
            plot.minorticks_off()
        grid[1][column].set_xlabel({"batch": "sentences in a batch"}.get(axis, axis))
    grid[0][0].set_ylabel("ms a step")
    grid[1][0].set_ylabel("peak memory of a step, MiB")
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=2, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.91))
    figure.savefig(path)
    pyplot.close(figure)


def _figures(row: dict[str, float], *keys: str) -> Iterable[str]:
    return (f"{row[key]:.2f}" for key in keys)


def _bar(bar: float | None) -> str:
    return "" if bar is None else f"{bar:.2f}"


def _machine(report: dict[str, Any]) -> str:
    return "; ".join(f"{key} {value}" for key, value in report["machine"].items())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---", *("--:" for _ in head[1:])), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _page(parts: list[str]) -> str:
    return "\n\n".join(parts) + "\n"
