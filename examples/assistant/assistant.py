"""A small question-answering service that knows its environment only through its settings.

It answers from the texts in `documents/`: an index of weighted words, kept in a SQLite file, finds the nearest
sentences, and a model that is asked by the name `chat` answers from them. Without the address of one it quotes them.
Every setting comes from the process environment, read once at the start, so that the same code is one service in `dev`
and another in `prod`:

    ringfence run dev -- python3 assistant.py
    curl 'http://127.0.0.1:8000/ask?q=What+is+staging+for'

A setting that is missing or malformed ends it with status 2 and the setting's name. No message and no log line holds a
secret or a question. Python's standard library is all it needs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import math
import os
import re
import secrets
import signal
import socket
import sqlite3
import struct
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import mul
from pathlib import Path
from socketserver import TCPServer
from types import FrameType
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import parse_qs
from urllib.request import Request, urlopen

DOCUMENTS = Path(__file__).parent / "documents"
INDEX_VERSION = 1  # goes up when the way in which documents become vectors changes
DIMENSIONS = 2048
LEAST_LIKENESS = 0.1  # below it, words that share a dimension by chance are as likely as words that are the same
MAX_BODY_BYTES = 64 * 1024
MAX_SKIPPED_BYTES = 1024 * 1024  # of a body that is too large, before the client is told so
MAX_ANSWERED_AT_ONCE = 32
MAX_ANSWER_BYTES = 1024 * 1024
PASSAGES = 3  # sentences that an answer rests on
GRACE_S = 5.0

log = logging.getLogger("assistant")
Value = TypeVar("Value")
Vector = Sequence[float]


class StartError(Exception):
    """The service cannot start. The message is one line, names the setting to look at, and never shows its value."""

    exit_status = 1


class SettingError(StartError):
    """A setting is missing or malformed."""

    exit_status = 2


# --- settings


@dataclass(frozen=True)
class Settings:
    """What the service is told about its environment."""

    environment: str
    host: str
    port: int
    debug: bool
    log_level: str
    database: Path
    vectors: Path
    sample: float
    model_url: str
    rate_per_minute: int
    timeout_s: float
    model_key: str = field(repr=False)
    session_secret: bytes = field(repr=False)

    @classmethod
    def from_environment(cls, block: Mapping[str, str]) -> Settings:
        """Reads every setting, or raises `SettingError` for the first that is missing or malformed."""
        read = Reader(block)
        model_url = read.web_address("OPENAI_BASE_URL")
        settings = cls(
            environment=read.word("APP_ENV", ("dev", "test", "staging", "prod")),
            host=read.text("HOST", default="127.0.0.1"),
            port=read.integer("PORT", most=65535),
            debug=read.truth("DEBUG"),
            log_level=read.word("LOG_LEVEL", ("debug", "info", "warning")),
            database=read.sqlite_path("DB_URL"),
            vectors=Path(read.text("VECTOR_DB")),
            sample=read.fraction("VECTOR_SAMPLE"),
            model_url=model_url,
            rate_per_minute=read.integer("RATE_LIMIT_PER_MINUTE", most=1_000_000),
            timeout_s=read.duration_s("REQUEST_TIMEOUT"),
            model_key=read.text("OPENAI_API_KEY") if model_url else "",
            session_secret=read.text("SESSION_SECRET").encode(errors="surrogateescape"),
        )
        if settings.database.resolve() == settings.vectors.resolve():
            raise SettingError("DB_URL and VECTOR_DB name the same file")
        return settings


class Reader:
    """Turns variables into values. An empty variable counts as a missing one."""

    def __init__(self, block: Mapping[str, str]) -> None:
        self._block = block

    def text(self, name: str, default: str = "") -> str:
        value = self._block.get(name) or default
        if not value:
            raise SettingError(f"{name} is not set")
        return value

    def word(self, name: str, words: Iterable[str]) -> str:
        return self._choice(name, {word: word for word in words}, self.text(name))

    def truth(self, name: str) -> bool:
        yes, no = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
        return self._choice(name, {**dict.fromkeys(yes, True), **dict.fromkeys(no, False)}, self.text(name).lower())

    def integer(self, name: str, most: int) -> int:
        text = self.text(name)
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) > most:
            raise SettingError(f"{name} must be a whole number from 0 to {most}")
        return int(text)

    def fraction(self, name: str) -> float:
        text = self.text(name)
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or float(text) > 1:
            raise SettingError(f"{name} must be a number from 0 to 1, such as 0.5")
        return float(text)

    def duration_s(self, name: str) -> float:
        match = re.fullmatch(r"([0-9]{1,6})(ms|s|m)", self.text(name))
        if not match or int(match[1]) == 0:
            raise SettingError(f"{name} must be a number above 0 with the unit ms, s or m, such as 30s")
        return int(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[match[2]]

    def sqlite_path(self, name: str) -> Path:
        match = re.fullmatch(r"sqlite:///([^?#]+)", self.text(name))
        if not match:
            raise SettingError(f"{name} must be sqlite:/// and a path")
        return Path(match[1])

    def web_address(self, name: str) -> str:
        text = self._block.get(name, "")
        if text and not re.fullmatch(r"https?://[!-~]+", text):
            raise SettingError(f"{name} must be http:// or https:// and an address")
        return text.rstrip("/")

    @staticmethod
    def _choice(name: str, values: Mapping[str, Value], text: str) -> Value:
        if text not in values:
            raise SettingError(f"{name} must be one of {', '.join(values)}")
        return values[text]


@contextmanager
def needing(setting: str) -> Iterator[None]:
    """Says which setting to look at when the world refuses what it asks for."""
    try:
        yield
    except sqlite3.Error as error:
        raise StartError(f"{setting} cannot be used: {error}") from error
    except (OSError, UnicodeError) as error:
        # The whole text of these errors would show the path or the address.
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise StartError(f"{setting} cannot be used: {reason}") from error


# --- retrieval

LITTLE_WORDS = frozenset(
    "a an and are as at be by can do does for from how i in is it its of on or should that the their there this to was "
    "what when where which who why will with you your".split()
)


def words(text: str) -> list[str]:
    """The words of a text, without those that say little, and with a plain plural cut off."""
    found = (word for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in LITTLE_WORDS)
    return [word[:-1] if word.endswith("s") and not word.endswith("ss") else word for word in found]


def dimensions(text: str) -> Counter[int]:
    """How often each dimension occurs: a word's is its hash (feature hashing, Weinberger et al., 2009)."""
    digests = (hashlib.blake2b(word.encode(), digest_size=4).digest() for word in words(text))
    return Counter(int.from_bytes(digest, "big") % DIMENSIONS for digest in digests)


def rarity(texts: Sequence[str]) -> Vector:
    """The inverse document frequency of each dimension, smoothed so that none is 0."""
    frequency = Counter(dimension for text in texts for dimension in dimensions(text))
    return [1 + math.log((1 + len(texts)) / (1 + frequency[dimension])) for dimension in range(DIMENSIONS)]


def embed(text: str, weights: Vector) -> Vector:
    """The text as a vector of length 1, or of length 0 when it has no words."""
    vector = [0.0] * DIMENSIONS
    for dimension, count in dimensions(text).items():
        vector[dimension] = (1 + math.log(count)) * weights[dimension]
    length = math.hypot(*vector) or 1.0
    return [value / length for value in vector]


def likeness(one: Vector, other: Vector) -> float:
    """The cosine of two vectors of length 1."""
    return math.fsum(map(mul, one, other))


def sampled(paths: Iterable[Path], fraction: float) -> list[Path]:
    """The same documents every time; a smaller fraction's lie inside a larger one's, and 1 is all of them."""

    def position(path: Path) -> int:
        return int.from_bytes(hashlib.blake2b(path.name.encode(), digest_size=8, key=b"sample").digest(), "big")

    return sorted(path for path in paths if position(path) < fraction * 2**64)


@dataclass(frozen=True)
class Document:
    """A text with its name and its vector."""

    name: str
    text: str
    vector: Vector

    @cached_property
    def sentences(self) -> list[str]:
        body = " ".join(line for line in self.text.splitlines() if line and not line.startswith("#"))
        return [sentence for sentence in re.split(r"(?<=[.!?])\s+", body) if sentence]


@dataclass(frozen=True)
class Index:
    """The documents that questions are answered from, with the weight of each dimension."""

    weights: Vector
    documents: tuple[Document, ...]


def open_index(target: Path, folder: Path, fraction: float) -> Index:
    """Reads the index from `target`, which is first built when it is absent or was built from anything else."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sampled(folder.glob("*.md"), fraction)}
    origin = json.dumps([INDEX_VERSION, DIMENSIONS, fraction, texts]).encode()
    fingerprint = hashlib.blake2b(origin, digest_size=16).hexdigest()
    index = read_index(target, fingerprint)
    if index is None:
        target.parent.mkdir(parents=True, exist_ok=True)
        index = build_index(target, texts, fingerprint)
    return index


def read_index(target: Path, fingerprint: str) -> Index | None:
    """The index in the file, or `None` where there is none with this fingerprint."""
    if not target.exists():
        return None
    with closing(sqlite3.connect(target)) as file:
        if not holds_index(file):
            return None
        corpus = file.execute("SELECT weights FROM corpus WHERE fingerprint = ?", (fingerprint,)).fetchone()
        rows = file.execute("SELECT name, text, vector FROM document ORDER BY rowid").fetchall()
    documents = (Document(name, text, unpack(vector)) for name, text, vector in rows)
    return Index(unpack(corpus[0]), tuple(documents)) if corpus else None


def holds_index(file: sqlite3.Connection) -> bool:
    """Tells an index from a database of somebody else's, whose tables are not to be replaced."""
    return file.execute("SELECT 1 FROM sqlite_master WHERE name = 'corpus'").fetchone() is not None


def build_index(target: Path, texts: Mapping[str, str], fingerprint: str) -> Index:
    """Builds the index under another name and renames it, so that nobody ever sees half of one."""
    weights = unpack(pack(rarity(list(texts.values()))))
    documents = tuple(Document(name, text, unpack(pack(embed(text, weights)))) for name, text in texts.items())
    index = Index(weights, documents)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        write_index(temporary, target, index, fingerprint)
        os.fsync(handle)
        temporary.replace(target)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)
    sync_folder(target.parent)
    return index


def write_index(file: Path, predecessor: Path, index: Index, fingerprint: str) -> None:
    """Writes the index. What else its predecessor holds, such as a marker, is carried over."""
    with closing(sqlite3.connect(file)) as new, new:
        if predecessor.exists():
            with closing(sqlite3.connect(predecessor)) as old:
                old.backup(new)
        if holds_index(new):
            new.execute("DROP TABLE corpus")
            new.execute("DROP TABLE document")
        new.execute("CREATE TABLE corpus (fingerprint TEXT NOT NULL, weights BLOB NOT NULL)")
        new.execute("CREATE TABLE document (name TEXT PRIMARY KEY, text TEXT NOT NULL, vector BLOB NOT NULL)")
        new.execute("INSERT INTO corpus VALUES (?, ?)", (fingerprint, pack(index.weights)))
        rows = ((document.name, document.text, pack(document.vector)) for document in index.documents)
        new.executemany("INSERT INTO document VALUES (?, ?, ?)", rows)


def sync_folder(folder: Path) -> None:
    """Makes a rename in the folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def pack(vector: Vector) -> bytes:
    """The vector as 32-bit floats, least significant byte first."""
    return struct.pack(f"<{DIMENSIONS}f", *vector)


def unpack(blob: bytes) -> Vector:
    return struct.unpack(f"<{DIMENSIONS}f", blob)


# --- answers


@dataclass(frozen=True)
class Found:
    """Sentences with their documents, the nearest first, and how near every document was."""

    passages: list[tuple[str, str]]
    scores: dict[str, float]

    @property
    def sources(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.passages))

    @property
    def quoted(self) -> str:
        return " ".join(f"{sentence} [{name}]" for name, sentence in self.passages)


def find(question: str, index: Index) -> Found:
    """The sentences nearest to the question, out of the nearest documents."""
    asked = embed(question, index.weights)
    nearest = sorted(
        ((likeness(asked, document.vector), document) for document in index.documents), key=lambda pair: -pair[0]
    )
    candidates = [
        (likeness(asked, embed(sentence, index.weights)), document.name, sentence)
        for score, document in nearest[:PASSAGES]
        if score >= LEAST_LIKENESS
        for sentence in document.sentences
    ]
    candidates.sort(key=lambda candidate: -candidate[0])
    return Found(
        passages=[(name, sentence) for score, name, sentence in candidates[:PASSAGES] if score >= LEAST_LIKENESS],
        scores={document.name: round(score, 4) for score, document in nearest},
    )


class ModelError(Exception):
    """The model gave no answer. The message says nothing of the question or the key."""

    def __init__(self, message: str, wait_s: str | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def ask_model(settings: Settings, question: str, found: Found) -> tuple[str, str]:
    """What the model says, and which one it was. Which one `chat` means is not for this program to know."""
    messages = [
        {"role": "system", "content": "Answer the question from the sentences alone, and name their sources."},
        {"role": "user", "content": f"{question}\n\n{found.quoted}"},
    ]
    request = Request(
        f"{settings.model_url}/chat/completions",
        json.dumps({"model": "chat", "messages": messages, "max_tokens": 400}).encode(),
        {"Authorization": f"Bearer {settings.model_key}", "Content-Type": "application/json"},
    )
    try:
        with urlopen(request, timeout=settings.timeout_s) as response:
            reply = json.loads(response.read(MAX_ANSWER_BYTES))
        return str(reply["choices"][0]["message"]["content"]), str(reply["model"])
    except HTTPError as error:
        # `from None`: what is said of the request would be the address, and a traceback is shown while debugging.
        raise ModelError(f"the model answered {error.code}", error.headers.get("Retry-After")) from None
    except (OSError, HTTPException, ValueError, KeyError, IndexError, TypeError) as error:
        raise ModelError(f"the model did not answer: {type(error).__name__}") from None


class Questions:
    """The questions that were asked. Any thread may add one; the lock spares SQLite's waiting for a busy file."""

    def __init__(self, database: Path, timeout_s: float) -> None:
        self._database = database
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        database.parent.mkdir(parents=True, exist_ok=True)
        self._execute("CREATE TABLE IF NOT EXISTS question (id TEXT PRIMARY KEY, text TEXT NOT NULL, asked_s REAL)")

    def keep(self, name: str, question: str) -> None:
        self._execute("INSERT INTO question VALUES (?, ?, ?)", name, question, time.time())

    def _execute(self, statement: str, *values: str | float) -> None:
        with self._lock, closing(sqlite3.connect(self._database, timeout=self._timeout_s)) as database, database:
            database.execute(statement, values)


class Limiter:
    """At most so many questions in any minute, from all callers together; 0 means no limit."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._admitted: deque[float] = deque()
        self._lock = threading.Lock()

    def wait_s(self) -> int:
        """Admits a question and gives 0, or gives the seconds until one may be admitted."""
        if not self._per_minute:
            return 0
        with self._lock:
            now = time.monotonic()
            while self._admitted and self._admitted[0] <= now - 60:
                self._admitted.popleft()
            if len(self._admitted) < self._per_minute:
                self._admitted.append(now)
                return 0
            return math.ceil(self._admitted[0] + 60 - now)


class Assistant:
    """Everything but HTTP: answers questions and keeps them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        with needing("VECTOR_DB"):
            self._index = open_index(settings.vectors, DOCUMENTS, settings.sample)
        with needing("DB_URL"):
            self._questions = Questions(settings.database, settings.timeout_s)

    def ask(self, question: str) -> dict[str, Any]:
        """The answer as it is sent; only debugging adds how it came about."""
        settings = self._settings
        found = find(question, self._index)
        text, model = found.quoted or "The documents do not say.", None
        if settings.model_url and found.passages:
            text, model = ask_model(settings, question, found)
        name = signed_name(settings.session_secret)
        self._questions.keep(name, question)
        body: dict[str, Any] = {
            "answer": text,
            "sources": found.sources,
            "model": model,
            "environment": settings.environment,
            "id": name,
        }
        if settings.debug:
            body["debug"] = {"scores": found.scores}
        return body

    def describe(self) -> str:
        settings = self._settings
        all_documents = sum(1 for _ in DOCUMENTS.glob("*.md"))
        counts = f"{len(self._index.documents)} of {all_documents} documents"
        return f"{settings.environment}, {'asks a model' if settings.model_url else 'quotes'}, {counts}"


def signed_name(secret: bytes) -> str:
    """A new random name and its signature: whoever sends it back can be shown to have it from here."""
    name = secrets.token_hex(8)
    return f"{name}.{hmac.new(secret, name.encode(), 'sha256').hexdigest()[:32]}"


# --- HTTP


class RequestError(Exception):
    """A request that is refused."""

    def __init__(self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class Server(ThreadingHTTPServer):
    """The listening socket, with what its requests share."""

    request_queue_size = 128

    def __init__(self, settings: Settings, assistant: Assistant) -> None:
        self.settings = settings
        self.assistant = assistant
        self.limiter = Limiter(settings.rate_per_minute)
        self.slots = threading.Semaphore(MAX_ANSWERED_AT_ONCE)
        self.address_family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with needing("HOST and PORT"):
            super().__init__((settings.host, settings.port), Handler)

    def server_bind(self) -> None:
        # `HTTPServer` would also look its own name up, which a process without DNS waits for in vain.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.settings.host, self.server_address[1]

    def address(self) -> str:
        host = self.settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}"

    def finish(self) -> None:
        """Lets the requests under way have their answers, and gives up after `GRACE_S`."""
        deadline = time.monotonic() + GRACE_S
        for _ in range(MAX_ANSWERED_AT_ONCE):
            self.slots.acquire(timeout=max(0.0, deadline - time.monotonic()))
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        lost = isinstance(sys.exc_info()[1], ConnectionError)
        log.log(logging.DEBUG if lost else logging.ERROR, "a connection failed", exc_info=not lost)


class Handler(BaseHTTPRequestHandler):
    """`GET /health`, `GET /ask?q=…` and `POST /ask`. Whatever is sent back is JSON.

    HTTP/1.0, one request on a connection: nothing of a refused request can be taken for the next one.
    """

    server: Server

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.settings.timeout_s)

    def respond(self) -> None:
        """Answers any of the methods below on any path."""
        try:
            body = self._read_body()
        except RequestError as error:
            self._refuse(error)
            return
        with self.server.slots:
            try:
                reply = self._route(body)
            except RequestError as error:
                self._refuse(error)
            except Exception:
                log.exception("a request failed")
                self._refuse(RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error"))
            else:
                self._send(HTTPStatus.OK, reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond

    def _read_body(self) -> bytes:
        """The body, read before anything is decided: a client still sending would not see the answer."""
        if "Transfer-Encoding" in self.headers:
            raise RequestError(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length")
        length = self.headers.get("Content-Length", "0")
        if not re.fullmatch(r"[0-9]{1,15}", length):
            raise RequestError(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
        if int(length) > MAX_BODY_BYTES:
            with suppress(OSError):
                self.rfile.read(min(int(length), MAX_SKIPPED_BYTES))
            raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {MAX_BODY_BYTES} bytes")
        return self._receive(int(length))

    def _receive(self, length: int) -> bytes:
        try:
            body = self.rfile.read(length)
        except OSError:
            body = b""
        if len(body) < length:
            raise RequestError(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive")
        return body

    def _route(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        if path not in ROUTES:
            raise RequestError(HTTPStatus.NOT_FOUND, f"there is {' and '.join(ROUTES)}")
        if self.command not in ROUTES[path]:
            allowed = ", ".join(ROUTES[path])
            raise RequestError(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {allowed}", {"Allow": allowed})
        return ROUTES[path][self.command](self, query, body)

    def health(self, _query: str, _body: bytes) -> dict[str, Any]:
        return {"status": "ok", "environment": self.server.settings.environment}

    def ask_in_query(self, query: str, _body: bytes) -> dict[str, Any]:
        return self._ask(parse_qs(query).get("q", [""])[0])

    def ask_in_body(self, _query: str, body: bytes) -> dict[str, Any]:
        try:
            question = json.loads(body)["question"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise RequestError(HTTPStatus.BAD_REQUEST, 'send {"question": "…"}') from error
        return self._ask(question)

    def _ask(self, question: Any) -> dict[str, Any]:
        if not isinstance(question, str) or not question.strip() or not is_unicode(question):
            raise RequestError(HTTPStatus.BAD_REQUEST, "the question must be a text that is not empty")
        wait_s = self.server.limiter.wait_s()
        if wait_s:
            raise RequestError(HTTPStatus.TOO_MANY_REQUESTS, "too many questions", {"Retry-After": str(wait_s)})
        try:
            return self.server.assistant.ask(question)
        except ModelError as error:
            log.warning("%s", error)
            if error.wait_s:
                status, headers = HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": error.wait_s}
            else:
                status, headers = HTTPStatus.BAD_GATEWAY, None
            raise RequestError(status, str(error), headers) from None

    def _refuse(self, error: RequestError) -> None:
        """Sends the refusal, called where the error is caught; only debugging adds where it came from."""
        reply: dict[str, Any] = {"error": str(error)}
        if self.server.settings.debug:
            reply["debug"] = {"traceback": traceback.format_exc().splitlines()}
        self._send(error.status, reply, error.headers)

    def _send(self, status: HTTPStatus, reply: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(reply, ensure_ascii=False).encode() + b"\n"
        always = {"Content-Type": "application/json", "Content-Length": str(len(data)), "Cache-Control": "no-store"}
        self.send_response(status)
        for name, value in {**always, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses before there is a method to call."""
        status = HTTPStatus(code)
        self._send(status, {"error": status.phrase.lower()})

    def version_string(self) -> str:
        return "assistant"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        # Without the query, which is the question. The escapes keep a caller from writing lines of its own.
        path = getattr(self, "path", "-").partition("?")[0]
        line = f"{self.command or '-'} {path[:200]} {int(code)}"
        log.info("%s", line.encode("unicode_escape").decode())

    def log_message(self, format: str, *values: Any) -> None:
        # The base class has nothing else left to say.
        log.debug("a connection timed out")


ROUTES: dict[str, dict[str, Callable[[Handler, str, bytes], dict[str, Any]]]] = {
    "/ask": {"GET": Handler.ask_in_query, "POST": Handler.ask_in_body},
    "/health": {"GET": Handler.health},
}


def is_unicode(text: str) -> bool:
    """Whether the text can be stored and sent: JSON lets half a surrogate pair through."""
    return not re.search("[\ud800-\udfff]", text)


def serve(settings: Settings) -> None:
    """Answers until a signal comes, and then finishes what is under way."""
    assistant = Assistant(settings)
    server = Server(settings, assistant)
    # No longer an exception, which could hit the accepting of a connection. `shutdown` waits, so not in this thread.
    on_signal(lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"assistant: listening on {server.address()} ({assistant.describe()})", file=sys.stderr, flush=True)
    server.serve_forever(poll_interval=0.1)
    server.finish()
    log.debug("stopped")


def on_signal(action: Callable[[int, FrameType | None], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, action)


def main() -> int:
    """Starts the service. SIGTERM and SIGINT end it with status 0, whatever it is doing."""
    try:
        on_signal(signal.default_int_handler)
        settings = Settings.from_environment(os.environ)
        logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(message)s")
        serve(settings)
    except StartError as error:
        print(f"assistant: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
