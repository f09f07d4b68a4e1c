"""A stand-in for the registries of Python and npm: `registry.py ADDRESS CERTIFICATE KEY`. Each has one package."""
import hashlib
import http.server
import io
import json
import ssl
import sys
import tarfile
import zipfile

WHEEL = "stand_in-1.0-py3-none-any.whl"
INFO = "stand_in-1.0.dist-info"


def wheel():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("stand_in.py", "print('from a wheel')\n")
        archive.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\nName: stand-in\nVersion: 1.0\n")
        archive.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{INFO}/RECORD", "stand_in.py,,\n")
    return content.getvalue()


def tarball():
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in (
            ("package.json", json.dumps({"name": "stand-in-js", "version": "1.0.0"})),
            ("index.js", "console.log('from a tarball')\n"),
        ):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


PYTHON, NPM = wheel(), tarball()
INDEX = f'<a href="https://files.pythonhosted.org/{WHEEL}#sha256={hashlib.sha256(PYTHON).hexdigest()}">{WHEEL}</a>'
DIST = {
    "tarball": "https://registry.npmjs.org/stand-in-js/-/stand-in-js-1.0.0.tgz",
    "shasum": hashlib.sha1(NPM).hexdigest(),
}
VERSION = {"name": "stand-in-js", "version": "1.0.0", "dist": DIST}
PACKAGE = {"name": "stand-in-js", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": VERSION}}
PAGES = {
    ("pypi.org", "/simple/stand-in/"): ("text/html", INDEX.encode()),
    ("files.pythonhosted.org", f"/{WHEEL}"): ("application/zip", PYTHON),
    ("registry.npmjs.org", "/stand-in-js"): ("application/json", json.dumps(PACKAGE).encode()),
    ("registry.npmjs.org", "/stand-in-js/-/stand-in-js-1.0.0.tgz"): ("application/gzip", NPM),
}


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        kind, body = PAGES.get((self.headers["Host"], self.path), (None, b""))
        self.send_response(200 if kind else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer((sys.argv[1], 443), Registry)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
