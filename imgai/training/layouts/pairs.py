"""Two folders with files of the same names: pictures and targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imgai.errors import UsageError
from imgai.training.findings import Findings
from imgai.training.layouts.base import NAMES, Entry, parts_of, pictures, stem_of


def subfolder(folder: Path, names: Sequence[str]) -> Path | None:
    """The folder that is called like one of the names, in any case."""
    folders = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()} if folder.is_dir() else {}
    return next((folders[name] for name in names if name in folders), None)


def paired(
    folder: Path, findings: Findings, inputs: Sequence[str], targets: Sequence[str], endings: Sequence[str] = ("",)
) -> list[Entry] | None:
    """Every picture with the path of its target; None where there are no two such folders.

    The parts may be above (``train/images``) or below (``images/train``). What has no partner is left out, and said.

    inputs, targets: what the folders may be called. endings: what may follow the picture's name in the target's.
    """
    entries: list[Entry] = []
    roots = parts_of(folder, findings) if folder.is_dir() else {}
    pairs = {part: (subfolder(root, inputs), subfolder(root, targets)) for part, root in roots.items()}
    if not any(a is not None and b is not None for a, b in pairs.values()):
        return None
    for part, (first, second) in pairs.items():
        if first is None or second is None:
            missing = inputs[0] if first is None else targets[0]
            raise UsageError(f"{roots[part]} has no {missing}/", f"it needs {inputs[0]}/ and {targets[0]}/")
        entries += _pairs(first, second, part, findings, folder, endings)
    return entries


def _pairs(
    first: Path, second: Path, part: str | None, findings: Findings, root: Path, endings: Sequence[str]
) -> list[Entry]:
    below = (
        {path.name for path in first.iterdir() if path.is_dir() and NAMES.get(path.name.lower())} if not part else set()
    )
    partners = {stem_of(path, second): (path, name) for path, name in pictures(second, findings, root)}
    pairs, taken, seen = [], set(), set()
    for path, name in pictures(first, findings, root):
        stem = stem_of(path, first)
        if stem in seen:
            findings.leave_out("another picture is called alike but for its suffix", name)
            continue
        seen.add(stem)
        partner = next((stem + ending for ending in endings if stem + ending in partners), None)
        if partner is None:
            findings.leave_out(f"there is none of the same name in {second.name}/", name)
            continue
        taken.add(partner)
        inside = path.relative_to(first).parts[0]
        side = part or (NAMES[inside.lower()] if inside in below else None)
        pairs.append(Entry(path, name, side, partners[partner][0]))
    for stem, (_, name) in partners.items():
        if stem not in taken:
            findings.leave_out(f"there is none of the same name in {first.name}/", name)
    return pairs
