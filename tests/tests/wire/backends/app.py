"""The same site in Flask and in Django, behind the servers that people use.

Every answer names the view that was found, and the method and the path as the
application has them. Usage: app.py FRAMEWORK SERVER PORT
"""

import sys
from urllib.parse import quote

VIEWS = [
    ("admin", "/admin"),
    ("rotate", "/keys:rotate"),
    ("delete-users", "/v1/users:delete"),
    ("me", "/v1/@me/data"),
    ("items", "/items"),
    ("secret", "/files/secret"),
]
# The view of everything else below a path, the last one of everything.
BELOW = [
    ("admin", "/admin/"),
    ("v1", "/v1/"),
    ("secret", "/files/secret/"),
    ("files", "/files/"),
    ("open", "/"),
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def flask_app():
    from flask import Flask, Response, request

    app = Flask(__name__)

    def view(name):
        def answer(**_):
            seen = {"x-view": name, "x-method": request.method, "x-host": request.host, "x-path": quote(request.path)}
            if client := request.headers.get("x-forwarded-for"):
                seen["x-client"] = client
            return Response("", headers=seen)

        return answer

    for name, path in VIEWS:
        app.add_url_rule(path, name, view(name), methods=METHODS, strict_slashes=False)
    for name, path in BELOW:
        app.add_url_rule(path, "at-" + name, view(name), methods=METHODS)
        app.add_url_rule(path + "<path:rest>", "below-" + name, view(name), methods=METHODS)
    return app


def django_apps():
    import re

    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse
    from django.urls import re_path

    def view(name):
        def answer(request, **_):
            response = HttpResponse("")
            response["x-view"] = name
            response["x-method"] = request.method
            response["x-host"] = request.META.get("HTTP_HOST", "")
            response["x-path"] = quote(request.path)
            if client := request.META.get("HTTP_X_FORWARDED_FOR"):
                response["x-client"] = client
            return response

        return answer

    urls = [re_path("^" + re.escape(path[1:]) + "/?$", view(name)) for name, path in VIEWS]
    urls += [re_path("^" + re.escape(path[1:]), view(name)) for name, path in BELOW]
    settings.configure(
        ALLOWED_HOSTS=["*"], ROOT_URLCONF="urls", SECRET_KEY="of no use", MIDDLEWARE=[], LOGGING_CONFIG=None
    )
    sys.modules["urls"] = type(sys)("urls")
    sys.modules["urls"].urlpatterns = urls
    django.setup()
    return get_asgi_application()


def serve(server, app, port):
    if server == "werkzeug":
        import logging

        from werkzeug.serving import WSGIRequestHandler, run_simple

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        WSGIRequestHandler.protocol_version = "HTTP/1.1"
        run_simple("127.0.0.1", port, app, threaded=True)
    elif server == "gunicorn":
        from gunicorn.app.base import BaseApplication

        class Site(BaseApplication):
            def load_config(self):
                self.cfg.set("bind", f"127.0.0.1:{port}")
                self.cfg.set("threads", 4)
                self.cfg.set("loglevel", "critical")

            def load(self):
                return app

        Site().run()
    elif server == "wsgiref":
        from wsgiref.simple_server import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log_message(self, *_):
                pass

        make_server("127.0.0.1", port, app, handler_class=Quiet).serve_forever()
    elif server == "waitress":
        import waitress

        waitress.serve(app, listen=f"127.0.0.1:{port}", threads=4)
    elif server == "uvicorn":
        import uvicorn

        uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical", lifespan="off")
    elif server == "hypercorn":
        import asyncio

        from hypercorn.asyncio import serve as run
        from hypercorn.config import Config

        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        asyncio.run(run(app, config))


if __name__ == "__main__":
    framework, server, port = sys.argv[1:]
    serve(server, flask_app() if framework == "flask" else django_apps(), int(port))
