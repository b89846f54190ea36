"""Serves the pages: ``python -m shop.serve [port]`` from the project's folder; prints its address."""

from __future__ import annotations

import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.core.wsgi import get_wsgi_application


class Server(ThreadingMixIn, WSGIServer):
    """One thread per request."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Does not log each request."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def main(port: int) -> None:
    """Serve until interrupted."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    with make_server("127.0.0.1", port, get_wsgi_application(), Server, Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
