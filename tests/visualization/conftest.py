"""A page of viewer.py, and headless Chromium without a network to open it."""

import pytest
from tests.visualization.viewer_pages import (
    CHROMIUM,
    SOFTWARE_WEBGL,
    save_video,
    until,
    write_people,
)

from kinepose.visualization.viewer import write_viewer


@pytest.fixture(scope="session")
def viewed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewer")
    write_people(folder)
    write_viewer(save_video(folder / "two <people>.mp4"), folder)
    return folder


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*SOFTWARE_WEBGL])
        yield browser
        browser.close()


@pytest.fixture
def open_viewer(browser):
    """A function that opens a page; whatever it complained about, or asked for, fails the test."""
    contexts, complaints, addresses = [], [], []

    def open_page(path, **settings):
        context = browser.new_context(offline=True, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: addresses.append(request.url))
        page.goto(path.as_uri())
        until(page, "video.readyState >= 2 && !video.seeking")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert all(address.startswith(("file:", "blob:")) for address in addresses)
