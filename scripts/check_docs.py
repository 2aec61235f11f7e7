"""Every relative link in the documentation leads somewhere; every lock is free of index addresses."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
OUTSIDE = ("http://", "https://", "mailto:")
SKIPPED = {"node_modules", ".venv", ".tools"}


def pages() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.md")) if not SKIPPED.intersection(path.relative_to(ROOT).parts)]


def broken_links(page: Path) -> list[str]:
    links = LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    return [link for link in links if not link.startswith(OUTSIDE) and not (page.parent / link).exists()]


def addressed_locks() -> list[Path]:
    return [path for path in sorted(ROOT.glob("requirements/*.txt")) if "://" in path.read_text(encoding="utf-8")]


def main() -> int:
    complaints = [f"{page.relative_to(ROOT)}: no such file: {link}" for page in pages() for link in broken_links(page)]
    complaints += [f"{lock.relative_to(ROOT)}: holds an address" for lock in addressed_locks()]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
