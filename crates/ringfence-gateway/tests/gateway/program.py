"""A program whose ports fronts stand before: says what it hears, streams, upgrades. Prints its port."""

import base64
import hashlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SEEN = {"requests": 0, "connections": 0}
GO = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        SEEN["connections"] += 1

    def log_message(self, *_):
        pass

    def say(self, value, status=200, headers=()):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        for name, header in headers:
            self.send_header(name, header)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def body(self):
        """The body's pieces, as they come."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        while left > 0:
            piece = self.rfile.read(min(left, 1 << 16))
            if not piece:
                return
            left -= len(piece)
            yield piece

    def do_POST(self):
        SEEN["requests"] += 1
        digest, length = hashlib.sha256(), 0
        for piece in self.body():
            digest.update(piece)
            length += len(piece)
        self.say({"length": length, "sha256": digest.hexdigest(), "path": self.path})

    def do_HEAD(self):
        SEEN["requests"] += 1
        self.say({"a": "body that is not sent"})

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path not in ("/seen", "/go"):
            SEEN["requests"] += 1
        getattr(self, "get_" + path.strip("/").split("/")[0], self.get_heard)(query)

    def get_heard(self, _):
        self.say({"line": self.requestline, "headers": self.headers.items()}, headers=[("X-CaSe", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Connection", "X-Own"), ("X-Own", "1")])

    def get_body(self, _):
        self.say({"length": sum(len(piece) for piece in self.body())})

    def get_seen(self, _):
        self.say(SEEN)

    def get_go(self, _):
        GO.set()
        self.say({})

    def get_slow(self, _):
        GO.wait(20)
        self.say({})

    def get_bytes(self, query):
        left = int(query)
        self.send_response(200)
        self.send_header("Content-Length", query)
        self.end_headers()
        piece = b"x" * 65536
        while left > 0:
            self.wfile.write(piece[:left])
            left -= len(piece)

    def get_none(self, _):
        self.send_response(304)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "77")
        self.end_headers()

    def get_cut(self, _):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def get_close(self, _):
        self.close_connection = True
        self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")

    def get_idle(self, _):
        """Closes the connection without saying so beforehand."""
        self.say({})
        self.close_connection = True

    def get_once(self, _):
        """Answers the first of a connection's requests for it, and closes at the second one."""
        if getattr(self, "answered", False):
            self.close_connection = True
            return
        self.answered = True
        self.say({})

    def get_gone(self, _):
        self.close_connection = True

    def get_events(self, _):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in (b"data: 1\n\n", b"data: 2\n\n"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            GO.wait(20)
        self.wfile.write(b"0\r\n\r\n")

    def get_socket(self, _):
        """A WebSocket's handshake (RFC 6455), and then an echo of bytes."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.wfile.write(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        while data := self.connection.recv(65536):
            self.connection.sendall(data)
        self.close_connection = True


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
