"""The console: a page for browsers that reads public routes, as any client could.

The page is plain ES modules in `static/`, served unchanged. It needs no network but weir.
"""

from __future__ import annotations

import falcon

from gateway.console.assets import Assets
from gateway.console.resources import Asset, ConsolePage, Home

FOLDERS = ("", "vendor/", "views/")
FOLDERS = ("", "vendor/", "views/")
VIEWS = ("overview", "readers", "sources", "tail", "sessions")


def add_console(app: falcon.App[falcon.Request, falcon.Response], at_root: bool) -> None:
    """Add the routes of the page and its files.

    Args:
        app: the application to add to.
        at_root: also redirect ``GET /`` to the page; only natively, where no upstream answers it.
    """
    assets = Assets()
    page = ConsolePage(assets)
    app.add_route("/weir/console", page)
    for view in VIEWS:
        app.add_route(f"/weir/console/{view}", page)
    app.add_route("/weir/console/sessions/{session}", page)
    for folder in FOLDERS:
        app.add_route(f"/weir/console/static/{{version}}/{folder}{{name}}", Asset(assets, folder))
    if at_root:
        app.add_route("/", Home())
