"""Makes the pictures of docs/pictures: the demonstration is played, its pages, mails and report are photographed.

`make pictures` calls it; every family in them is invented.
"""

import base64
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps
from playwright.sync_api import Browser, sync_playwright
from werkzeug.security import generate_password_hash

import settings
from commands.demo import play
from commands.output import Terminal
from db.connection import connect
from demo.stage import Stage, set_up
from web.app import create_app
from web.server import Server

FOLDER = settings.ROOT / "docs" / "pictures"
WORK = settings.ROOT / "var" / "pictures"
PDF_PROGRAM = settings.ROOT / "var" / "docs" / "bin" / "pypdfium2"
CHROMIUM = shutil.which("chromium")
QUALITY = 82  # of WebP
LOGIN = ("vera", "a login for pictures alone")
REMINDED = "SELECT user_id FROM balansity.delivery WHERE template = 'appointment_reminder_24h' LIMIT 1"
COUNTED = "SELECT sum(done_an_hour) FROM dramatiq.present()"
COUNT_SECONDS = 100  # a minute's messages are counted once it has passed
GAP = 24  # between pictures that stand side by side


def main() -> None:
    os.environ["WEB_USERS"] = f"{LOGIN[0]}:operator:{generate_password_hash(LOGIN[1])}"
    shutil.rmtree(WORK, ignore_errors=True)
    with set_up(WORK) as stage:
        os.environ["DATABASE_URL"] = stage.url
        account = play(stage, Terminal(soft_wrap=True), time.monotonic())
        account.write_reports()
        _wait_for_counts(stage)
        with served() as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            _pages(browser, address, _reminded(stage))
            _mails(browser, address)
            browser.close()
        _report(stage)


@contextmanager
def served() -> Iterator[str]:
    """The address of the web process's pages."""
    settings.current.cache_clear()
    server = Server(create_app(), host="127.0.0.1", port=0, proxies=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.stop()
    thread.join()


def _pages(browser: Browser, address: str, person: str) -> None:
    shown = {"overview": "/", "person": f"/people/user/{person}"}
    for language, ending in (("en", ""), ("ru", ".ru")):
        for name, path in shown.items():
            _keep(f"{name}{ending}", _photograph(browser, address + path, 1200, 900, language))


def _mails(browser: Browser, address: str) -> None:
    names = ("appointment_confirmation", "report_ready", "payment_confirmation")
    phones = [_photograph(browser, f"{address}/mails/{name}.html", 390, 760, "ru") for name in names]
    _keep("mails", _beside(phones))


def _report(stage: Stage) -> None:
    report = min(stage.reports.glob("*.pdf"))
    subprocess.run([PDF_PROGRAM, "render", report, "--output", WORK, "--scale", "0.75", "--format", "png"], check=True)  # noqa: S603
    sheets = sorted(WORK.glob(f"{report.stem}_*.png"))
    _keep("report", _beside([ImageOps.expand(Image.open(sheet), border=1, fill="#c8d0ce") for sheet in sheets[:3]]))


def _reminded(stage: Stage) -> str:
    with closing(connect(stage.url)) as conn, conn.cursor() as cursor:
        cursor.execute(REMINDED)
        return str(cursor.fetchall()[0][0])


def _wait_for_counts(stage: Stage) -> None:
    deadline = time.monotonic() + COUNT_SECONDS
    with closing(connect(stage.url)) as conn, conn.cursor() as cursor:
        conn.autocommit = True
        while time.monotonic() < deadline:
            cursor.execute(COUNTED)
            if cursor.fetchall()[0][0]:
                return
            time.sleep(1)


def _photograph(browser: Browser, address: str, width: int, height: int, language: str) -> Image.Image:
    login = base64.b64encode(":".join(LOGIN).encode()).decode()
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale=language,
        color_scheme="light",
        extra_http_headers={"Authorization": f"Basic {login}"},
    )
    page = context.new_page()
    page.goto(address)
    taken = page.screenshot()
    context.close()
    return Image.open(BytesIO(taken))


def _beside(pictures: list[Image.Image]) -> Image.Image:
    whole = Image.new("RGBA", (sum(each.width + GAP for each in pictures) - GAP, max(each.height for each in pictures)))
    left = 0
    for each in pictures:
        whole.paste(each.convert("RGBA"), (left, 0))
        left += each.width + GAP
    return whole


def _keep(name: str, picture: Image.Image) -> None:
    path: Path = FOLDER / f"{name}.webp"
    picture.save(path, quality=QUALITY, method=6)
    sys.stdout.write(f"{path.relative_to(settings.ROOT)}  {path.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
