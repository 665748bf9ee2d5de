"""The console: a web page that shows weir's status, streams and sessions.

The page uses only the HTTP routes that every client may use. It consists of plain ES modules in
`static/`, served unchanged, and loads nothing from any other server.
"""

from __future__ import annotations

import falcon

from gateway.console.assets import Assets
from gateway.console.resources import Asset, ConsolePage, Home

FOLDERS = ("", "vendor/", "views/")
FOLDERS = ("", "vendor/", "views/")
VIEWS = ("overview", "readers", "sources", "tail", "sessions")


def add_console(app: falcon.App[falcon.Request, falcon.Response], at_root: bool) -> None:
    """Add the routes of the page and its files to an application.

    Args:
        app: the application.
        at_root: also redirect ``GET /`` to the page. An upstream, if there is one, answers ``/``
            itself.
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
