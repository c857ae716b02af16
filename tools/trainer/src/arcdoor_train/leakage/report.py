"""The report: ``report.json``, all figures, and ``report.md``, for people."""

import json
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from arcdoor_train import checkpoint
from arcdoor_train.leakage import verdict
from arcdoor_train.leakage.found import Attack, Found
from arcdoor_train.leakage.judges import Success

TITLES = {
    "weights": "A thief with the weights alone",
    "templates": "A thief with plain templates and the model",
    "sealed": "A thief with a sealed gallery",
    "opened": "A thief with an opened gallery, without the rotation's key",
    "few_bits": "Templates of fewer bits, attacked by who knows it",
    "linked": "A thief with two galleries of the same people, under different keys",
}
#: Under which of ISO/IEC 24745's properties.
HEADINGS = {
    "Irreversibility": ("weights", "templates", "sealed", "opened", "few_bits"),
    "Unlinkability": ("linked",),
    "Renewability": (),
}


def write(folder: Path, about: dict[str, Any], found: dict[str, Found], pairs: tuple[int, ...]) -> None:
    """Both files, each whole or not at all. Raises ``DiskError``."""
    said = verdict.of(found, pairs)
    content = {
        "about": about,
        "bound": verdict.BOUND,
        "verdict": asdict(said),
        "protections": [
            {"state": state, "attack": asdict(attack)} for state, attack in verdict.protections(found, pairs)
        ],
        "sections": {name: one.table() for name, one in found.items()},
    }
    text = json.dumps(content, indent=1) + "\n"
    checkpoint.write_file(folder / "report.json", lambda file: file.write(text.encode()))
    page = _page(about, found, said, pairs)
    checkpoint.write_file(folder / "report.md", lambda file: file.write(page.encode()))


def _page(about: dict[str, Any], found: dict[str, Found], said: verdict.Verdict, pairs: tuple[int, ...]) -> str:
    lines = [f"# What {about['pack']} gives away", "", verdict.BOUND, ""]
    lines += _told(about)
    if said.summary:
        lines += ["## In short", "", *(f"- {sentence}" for sentence in said.summary), ""]
    rows = verdict.protections(found, pairs)
    if rows:
        lines += ["## Protections, switched off one by one", "", *_protections(rows), ""]
    for heading, sections in HEADINGS.items():
        lines += [f"## {heading} (ISO/IEC 24745)", ""]
        lines += [f"- {sentence}" for sentence in getattr(said, heading.lower())] or ["Not measured."]
        lines.append("")
        for name in sections:
            if name in found:
                lines += [f"### {TITLES[name]}", "", *_section(found[name]), ""]
    return "\n".join(lines)


def _told(about: dict[str, Any]) -> list[str]:
    lines = [
        f"Pack {about['pack']} (embedder sha256 {about['digests']['embedder'][:16]}, "
        f"{'with a signature beside it' if about['signed'] else 'without a signature'}; signatures are checked by "
        "`arcdoor pack check`, not here).",
        f"{about['people']} people are attacked, the thief knows {about['known']} others; "
        f"{about['crops']} public crops taught the decoder. Type I: what a thief made passes for the photo that the "
        "template was made of. Type II: for another photo of the person. 95 % intervals, over people. Strangers: for "
        "photos of the others. Photos: real photos for other photos of the person, as often as a perfect picture "
        "could.",
    ]
    notes = [f"- {note}" for note in about["notes"]]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return [*lines, "", *notes, f"- Seed {about['seed']}; {versions}.", ""]


def _protections(rows: list[tuple[str, Attack]]) -> list[str]:
    lines = ["| what the thief has | best attack | type I % | type II % | strangers % |", "|---|---|---|---|---|"]
    for state, attack in rows:
        door = attack.door()
        lines.append(
            f"| {state} | {attack.name} | {door.type_one.percent()} | {door.type_two.percent()} "
            f"| {100 * door.strangers:.2f} |"
        )
    return lines


def _section(found: Found) -> list[str]:
    lines = [f"- {name}: {fact}." for name, fact in found.facts.items()]
    if found.figures:
        lines += ["", "| figure | value [95 %] | of |", "|---|---|---|"]
        lines += [f"| {name} | {figure} | {figure.count} |" for name, figure in found.figures.items()]
    if found.attacks:
        lines += [
            "",
            "| attack | people | cosine to the template | judge, thresholds | type I % | type II % | strangers % "
            "| photos % |",
            "|---|---|---|---|---|---|---|---|",
        ]
    for attack in found.attacks:
        for _, rows in groupby(attack.success, key=lambda row: row.judge):
            lines.append(_row(attack, list(rows)))
    return lines


def _row(attack: Attack, rows: list[Success]) -> str:
    """One judge's word, its thresholds beside each other."""
    one = rows[0]
    at = "; ".join(f"{row.at} ({row.threshold:.3f})" for row in rows)
    shares = ["; ".join(figure) for figure in (
        [row.type_one.percent() for row in rows], [row.type_two.percent() for row in rows],
        [f"{100 * row.strangers:.2f}" for row in rows], [f"{100 * row.photos:.1f}" for row in rows],
    )]  # fmt: skip
    return (
        f"| {attack.name} | {one.type_one.count} | {attack.cosine or '-'} | {one.judge}: {at} | {' | '.join(shares)} |"
    )
