"""Make reports/example again: the report of a real run, its picture and, in README, its figures.

Run it as `make example`. The picture needs Chromium (`apt-get install chromium`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "reports" / "example"
README = ROOT / "README.md"
COLUMNS = ("profile", "template", "score [95 % interval]", "TTFT p50", "output tokens/s", "peak memory")
PROFILES = ("greedy", "hot")
BEGIN, END = "<!-- figures of reports/example -->", "<!-- end of figures -->"


def main() -> None:
    """Run the suite in a scratch folder and copy what it wrote."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pytest", "--gemma-suite", "standard"]
        subprocess.run(command, cwd=scratch, check=True)
        EXAMPLE.mkdir(parents=True, exist_ok=True)
        for name in ("report.html", "report.md"):
            shutil.copyfile(Path(scratch, "reports", "latest", name), EXAMPLE / name)
    picture(EXAMPLE / "report.html", EXAMPLE / "report.png")
    report = (EXAMPLE / "report.md").read_text(encoding="utf-8")
    README.write_text(with_figures(README.read_text(encoding="utf-8"), report), encoding="utf-8")


def with_figures(readme: str, report: str) -> str:
    """Return the README with the results of a Markdown report between its marks."""
    table = "\n".join(results(report))
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{BEGIN}\n\n{table}\n\n{END}", readme)


def results(report: str) -> list[str]:
    """Return the results table of a Markdown report, with the columns and profiles that README shows."""
    lines = report.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| model | profile |"))
    end = next(number for number in range(start, len(lines)) if not lines[number].startswith("|"))
    header, rule, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines[start:end])
    shown = [header.index(name) for name in COLUMNS]
    kept = [header, rule, *(row for row in rows if row[header.index("profile")] in PROFILES)]
    return [f"| {' | '.join(row[column] for column in shown)} |" for row in kept]


def picture(page_file: Path, target: Path) -> None:
    """Photograph the top of a report, in the light theme."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = (
            shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        )
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 1000}, color_scheme="light")
        page.goto(page_file.as_uri())
        page.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    main()
