"""The page in a real Chromium: it sorts, its links lead to MLflow's pages, it fits a phone and asks for nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import INSTALL, PROGRAM, Browser
from ridgeline.evaluation.story import write_report
from sweeping import Studies
from test_report_page import BAYES, TINY, asked, train
from test_tracking_server import Server

pytestmark = [pytest.mark.verify, pytest.mark.skipif(PROGRAM is None, reason=INSTALL)]

TIP = "document.getElementById('tip')"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page of a study that an MLflow server tracks."""
    folder = tmp_path_factory.mktemp("browser")
    server = Server(folder)
    server.start()
    try:
        studies = Studies(folder / "runs", folder / "unused.db")
        studies.fixed = [f for f in studies.fixed if not f.startswith("tracking.uri")] + [f"tracking.uri={server.uri}"]
        studies.run(*BAYES, *TINY, "search.study_name=served", task=train)
        (path,) = write_report(asked(studies, "served"))
        yield path.as_uri()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


def column(browser: Browser, number: int) -> list[str]:
    cells = f"[...document.querySelectorAll('.sortable tbody tr')].map(r => r.cells[{number}].dataset.value)"
    return list(browser.value(cells))


def head(name: str) -> str:
    return f"[...document.querySelectorAll('.sortable th button')].find(b => b.textContent === '{name}')"


def test_a_click_on_a_column_sorts_and_another_turns_it_around(browser: Browser, page: str) -> None:
    browser.show(1280)
    browser.open(page)
    values = [float(value) for value in column(browser, 1)]
    assert values == sorted(values)
    assert len(values) == 12
    for place, name in ((0, "trial"), (2, "l2"), (4, "val error")):
        browser.click(head(name))
        found = [float(value) for value in column(browser, place)]
        assert found == sorted(found)
        browser.click(head(name))
        found = [float(value) for value in column(browser, place)]
        assert found == sorted(found, reverse=True)
    assert browser.value(f"{head('val error')}.parentElement.ariaSort") == "descending"
    runs = len(browser.value("[...document.querySelectorAll('.sortable th')].map(h => h.textContent)")) - 2
    browser.value(f"{head('MLflow run')}.focus()")
    browser.press("Enter")  # without a mouse
    assert column(browser, runs) == sorted(column(browser, runs))


def test_a_run_opens_in_mlflow(browser: Browser, page: str) -> None:
    browser.show(1280)
    browser.open(page)
    link = "document.querySelector('.sortable tbody a')"
    run_id = browser.value(f"{link}.href").rpartition("/")[2]
    browser.click(link)
    browser.wait(f"location.href.includes('/experiments/') && location.href.includes('{run_id}')")
    browser.wait("document.body.innerText.includes('trial 0')")


def test_the_trial_under_the_mouse_is_named_and_marked_in_every_picture(browser: Browser, page: str) -> None:
    for width in (1280, 390):
        browser.show(width, phone=width < 500)
        browser.open(page)
        assert browser.value(f"{TIP}.hidden") is True
        for section in ("history", "space", "parallel", "gap"):
            place = f"""(() => {{
                const svg = document.querySelector('#{section} svg');
                svg.scrollIntoView({{block: 'center'}});
                const [number, x, y] = svg.dataset.spots.split(' ');
                const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
                const box = svg.getBoundingClientRect();
                return [number, box.left + scale * x, box.top + scale * y];
            }})()"""
            number, x, y = browser.value(place)
            assert _named_at(browser, x + 1, y + 1).startswith(f"trial {number}, complete\nval/loss ")
            pictures = browser.value("document.querySelectorAll('svg[data-spots]').length")
            assert browser.value("document.querySelectorAll('svg .mark').length") == pictures
            left, right = (browser.value(f"{TIP}.getBoundingClientRect().{end}") for end in ("left", "right"))
            assert 0 <= left < right <= width
        browser.point(2, 2)
        assert browser.value(f"{TIP}.hidden") is True


def _named_at(browser: Browser, x: float, y: float) -> str:
    """What is said there; scrolling, which a browser reports late, hides it."""
    for _ in range(100):
        browser.point(x, y)
        said = str(browser.value(f"{TIP}.hidden ? '' : {TIP}.innerText"))
        if said:
            return said
        time.sleep(0.05)
    return ""


def test_ten_rows_are_shown_and_the_others_on_a_click(browser: Browser, page: str) -> None:
    browser.show(1280)
    browser.open(page)
    shown = "[...document.querySelectorAll('.sortable tbody tr')].filter(row => row.checkVisibility()).length"
    assert browser.value(shown) == 10
    browser.click("document.getElementById('unfold')")
    assert browser.value(shown) == 12


def test_the_command_is_shown_on_a_click(browser: Browser, page: str) -> None:
    browser.show(1280)
    browser.open(page)
    shown = "document.querySelector('.sortable details code').checkVisibility()"
    assert browser.value(shown) is False
    browser.click("document.querySelector('.sortable summary')")
    assert browser.value(shown) is True


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_nothing_is_wider_than_the_window(browser: Browser, page: str, width: int, tmp_path: Path) -> None:
    browser.show(width, phone=width < 500)
    browser.open(page)
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.value("innerWidth") == width
    sizes = browser.value("[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)")
    assert min(sizes) > 7  # pixels


def test_dark_paper_has_light_ink_in_pictures_too(browser: Browser, page: str) -> None:
    inks = []
    for dark in (False, True):
        browser.show(1280, dark=dark)
        browser.open(page)
        words = "[...document.querySelectorAll('svg text')].find(t => t.textContent.includes('validation error'))"
        inks.append(
            (browser.value(f"getComputedStyle({words}).fill"), browser.value("getComputedStyle(document.body).color"))
        )
    assert inks[0][0] == inks[0][1]
    assert inks[1][0] == inks[1][1]
    assert inks[0] != inks[1]


def test_it_asks_for_nothing(browser: Browser, page: str) -> None:
    browser.open(page)
    assert (
        browser.value("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length") == 0
    )
