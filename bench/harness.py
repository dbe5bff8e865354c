"""Interleaved measurements: all candidates take turns, so that whatever the
machine is doing meanwhile happens to all of them.

A candidate is a coprocess that does the thing once for every line it gets and
answers with the nanoseconds (bench/timer.c, bench/engine_timer.cc,
bench/floor.c). Results are medians and 99th percentiles, and their ratios.
"""

import pathlib
import random
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Candidate:
    """One coprocess, and what it answered, in nanoseconds."""

    def __init__(self, name, command, env=None):
        self.name = name
        self.samples = []
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1, env=env)

    def once(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} ended: {self.process.wait()}")
        return int(answer)

    def close(self):
        self.process.stdin.close()
        return self.process.wait()

    @property
    def median(self):
        return statistics.median(self.samples)

    @property
    def p99(self):
        ordered = sorted(self.samples)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def interleave(candidates, rounds, warm_up=3):
    """Fills every candidate's samples, in an order that changes each round."""
    for _ in range(warm_up):
        for candidate in candidates:
            candidate.once()
    order = list(candidates)
    shuffle = random.Random(1)
    for _ in range(rounds):
        shuffle.shuffle(order)
        for candidate in order:
            candidate.samples.append(candidate.once())


def ratio_interval(ours, theirs, draws=1000):
    """95 % bootstrap interval of the ratio of medians."""
    pick = random.Random(2)
    ratios = sorted(
        statistics.median(pick.choices(ours.samples, k=len(ours.samples))) /
        statistics.median(pick.choices(theirs.samples, k=len(theirs.samples)))
        for _ in range(draws))
    return ratios[int(draws * 0.025)], ratios[int(draws * 0.975)]


def milliseconds(nanoseconds):
    return f"{nanoseconds / 1e6:.2f}"


def table(candidates):
    lines = ["| candidate | n | median ms | p99 ms |", "|---|---|---|---|"]
    for c in sorted(candidates, key=lambda c: c.median):
        lines.append(f"| {c.name} | {len(c.samples)} | "
                     f"{milliseconds(c.median)} | {milliseconds(c.p99)} |")
    return "\n".join(lines)


def goals(rows):
    """rows: (what, ours, theirs, goal ratio or None). Missing peers are left
    out."""
    lines = ["| ratio of medians | measured | 95 % interval | goal | p99 ratio |"
             " |", "|---|---|---|---|---|---|"]
    for what, ours, theirs, goal in rows:
        if ours is None or theirs is None:
            continue
        value = ours.median / theirs.median
        low, high = ratio_interval(ours, theirs)
        verdict = ("" if goal is None else
                   "met" if value <= goal else "**missed**")
        lines.append(f"| {what} | {value:.3f} | {low:.3f} to {high:.3f} | "
                     f"{goal or ''} | {ours.p99 / theirs.p99:.3f} | {verdict} |")
    return "\n".join(lines)


def svg(title, candidates, path):
    """Horizontal bars of medians on a logarithmic scale, with p99 ticks."""
    import math
    ordered = sorted(candidates, key=lambda c: c.median)
    low = 10 ** math.floor(math.log10(ordered[0].median / 1e6))
    high = 10 ** math.ceil(math.log10(max(c.p99 for c in ordered) / 1e6))
    left, width, row = 230, 520, 26

    def x(ns):
        span = math.log10(high / low)
        return left + width * math.log10(max(ns / 1e6, low) / low) / span

    height = 60 + row * len(ordered)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}"'
           f' height="{height}" font-family="sans-serif" font-size="13">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="10" y="20" font-weight="bold">{title}</text>']
    tick = low
    while tick <= high:
        out.append(f'<line x1="{x(tick * 1e6):.0f}" x2="{x(tick * 1e6):.0f}" '
                   f'y1="30" y2="{height - 22}" stroke="#ddd"/>'
                   f'<text x="{x(tick * 1e6):.0f}" y="{height - 6}" '
                   f'text-anchor="middle" fill="#666">{tick:g} ms</text>')
        tick *= 10
    for i, c in enumerate(ordered):
        y = 36 + row * i
        ours = c.name.startswith(("containerkit", "ck"))
        color = "#2a6fbb" if ours else "#b0b0b0"
        out.append(
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{c.name}'
            f'</text><rect x="{left}" y="{y + 2}" height="16" '
            f'width="{x(c.median) - left:.0f}" fill="{color}"/>'
            f'<line x1="{x(c.p99):.0f}" x2="{x(c.p99):.0f}" y1="{y + 2}" '
            f'y2="{y + 18}" stroke="#c03030" stroke-width="2"/>'
            f'<text x="{x(c.p99) + 6:.0f}" y="{y + 14}" fill="#333">'
            f'{c.median / 1e6:.2f}</text>')
    out.append("</svg>")
    pathlib.Path(path).write_text("\n".join(out) + "\n")
