"""The tables of severity_audit.py, as Markdown."""

from __future__ import annotations

from typing import Any


def published_table(rows: list[dict[str, Any]]) -> str:
    """What came out against what is published, a line to each data set."""
    names = ("degradation", "data set", "mu KS", "mu W1", "mu missed", "sigma KS", "(asked)")
    more = ("sigma W1", "(asked)", "sigma mean", "(asked)", "corr.", "(asked)")
    text = _line([*names, *more])
    text += "|---|---|" + "---:|" * 11 + "\n"
    for row in rows:
        distances = [f"{row['mu_ks']:.3f}", f"{row['mu_w1']:.4f}", f"{row['missed']:.1%}"]
        for kind, digits in (("ks", 3), ("w1", 4)):
            distances += [f"{row[f'{word}sigma_{kind}']:.{digits}f}" for word in ("", "asked_")]
        distances += [f"{row['sigma_mean']:.3f}", f"{row['sigma_mean_asked']:.3f}"]
        distances += [f"{row['correlation']:.2f}", f"{row['asked_correlation']:.2f}"]
        text += _line([row["degradation"], row["dataset"], *distances])
    return text


def real_table(rows: list[dict[str, Any]]) -> str:
    """Real pairs, and what is made of their severities."""
    names = ("degradation", "real set", "pairs", "mu (least to most)", "sigma")
    text = _line(
        [*names, "ours at that mu (5 to 95 %)", "ours, sigma asked", "off by", "mu missed"]
    )
    text += "|---|---|" + "---:|" * 7 + "\n"
    for row in rows:
        (least, most), (p5, p95) = row["mu_range"], row["own_sigma_range"]
        text += _line(
            [
                *(row["degradation"], row["dataset"], str(row["pairs"])),
                f"{row['mu']:.3f} ({least:.3f} to {most:.3f})",
                f"{row['sigma']:.3f}",
                f"{row['own_sigma']:.3f} ({p5:.3f} to {p95:.3f})",
                *(f"{row['sigma_made']:.3f}", f"{row['sigma_error']:.3f}", f"{row['missed']:.1%}"),
            ]
        )
    return text


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"
