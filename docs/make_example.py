"""Make reports/example again: run the standard suite, keep its report, and take its picture.

Run it as `make example`. The picture needs Chromium (`apt-get install chromium`).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "reports" / "example"


def main() -> None:
    """Run the suite in a scratch folder and copy what it wrote."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pytest", "--gemma-suite", "standard"]
        subprocess.run(command, cwd=scratch, check=True)
        EXAMPLE.mkdir(parents=True, exist_ok=True)
        for name in ("report.html", "report.md"):
            shutil.copyfile(Path(scratch, "reports", "latest", name), EXAMPLE / name)
    picture(EXAMPLE / "report.html", EXAMPLE / "report.png")


def picture(page_file: Path, target: Path) -> None:
    """Photograph the top of a report, in the light theme."""
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
