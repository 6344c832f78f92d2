"""The page of everything as a PDF, printed by a browser that is installed: nothing else knows how the pages look."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from papertables.base.errors import UserError
from papertables.base.files import write_atomic

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "brave-browser")
PATIENCE = 600  # seconds


def find_browser() -> str:
    """The first that is on the PATH; raises UserError where none is."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise UserError(
            "pdf: no Chromium or Chrome is installed to print it: install one (apt install chromium), or open "
            "document.html in any browser and print it to a file"
        )
    return found


def write_pdf(page: Path, pdf: Path) -> None:
    """Prints a page; raises UserError where the browser cannot."""
    browser = find_browser()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "document.pdf")
        alone = [f"--user-data-dir={folder}/profile", "--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        command = [browser, "--headless", *alone, "--no-pdf-header-footer", f"--print-to-pdf={made}"]
        done = subprocess.run(
            [*command, page.resolve().as_uri()],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
        )
        if not made.exists():
            said = next(iter(done.stderr.strip().splitlines()[-1:]), "it said nothing")
            raise UserError(f"{browser} did not print {page}: {said}: open it in a browser and print it to a file")
        write_atomic(pdf, made.read_bytes())
