"""Links in the documentation lead somewhere, words of the screen are those of the screen, locks hold no addresses,
every dependency says what it is for."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
ON_SCREEN = re.compile(r"「([^」]+)」")
SCREEN = ROOT / "clients/web/src/i18n/zh.ts"
LIBRARIES = "docs/decisions/0001-libraries.md"
OUTSIDE = ("http://", "https://", "mailto:")
SKIPPED = {"node_modules", ".venv", ".tools"}


def pages() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.md")) if not SKIPPED.intersection(path.relative_to(ROOT).parts)]


def broken_links(page: Path) -> list[str]:
    links = LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    return [link for link in links if not link.startswith(OUTSIDE) and not (page.parent / link).exists()]


def unknown_words(page: Path) -> list[str]:
    """What a Chinese page sets in corner brackets stands on the screen like that; `…` is what the screen fills in."""
    screen = _plain(re.sub(r"\{\w+\}", "…", SCREEN.read_text(encoding="utf-8")))
    return [words for words in ON_SCREEN.findall(page.read_text(encoding="utf-8")) if _plain(words) not in screen]


def _plain(text: str) -> str:
    return re.sub(r"\s", "", text)


def addressed_locks() -> list[Path]:
    return [path for path in sorted(ROOT.glob("requirements/*.txt")) if "://" in path.read_text(encoding="utf-8")]


def unexplained_dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    names = {re.split(r"[^\w-]", requirement, maxsplit=1)[0] for group in groups for requirement in group}
    explained = (ROOT / LIBRARIES).read_text(encoding="utf-8")
    return sorted(name for name in names if f"`{name}`" not in explained)


def main() -> int:
    complaints = [f"{page.relative_to(ROOT)}: no such file: {link}" for page in pages() for link in broken_links(page)]
    complaints += [
        f"{page.relative_to(ROOT)}: not on the screen: {words}"
        for page in sorted(ROOT.glob("docs/zh/*.md"))
        for words in unknown_words(page)
    ]
    complaints += [f"{lock.relative_to(ROOT)}: holds an address" for lock in addressed_locks()]
    complaints += [f"{LIBRARIES}: does not say what {name} is for" for name in unexplained_dependencies()]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
