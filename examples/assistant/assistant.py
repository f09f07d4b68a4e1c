"""A small question-answering service that knows its environment only through its settings.

It answers from the documents in `documents/`: an index of hashed word weights in a SQLite file finds the nearest
documents, and the model, `small` or `large`, picks the best sentences. Every setting comes from the process environment,
so that the same code is a different service in `dev` and in `prod`:

    ringfence run dev -- python3 assistant.py
    curl 'http://127.0.0.1:8000/ask?q=What+is+staging+for'

Only Python's standard library is needed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import math
import os
import re
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

DOCUMENTS = Path(__file__).parent / "documents"
DIMENSIONS = 512
MAX_BODY_BYTES = 64 * 1024
USAGE_ERROR = 2

log = logging.getLogger("assistant")


class SettingError(Exception):
    """A setting is missing or malformed. The message names it and never its value."""


@dataclass(frozen=True)
class Settings:
    """What the service is told about its environment, read once at the start."""

    environment: str
    host: str
    port: int
    debug: bool
    log_level: str
    database: Path
    vectors: Path
    sample: float
    model: str
    rate_per_minute: int
    timeout_s: float
    session_secret: bytes

    @classmethod
    def from_environment(cls, block: dict[str, str]) -> Settings:
        """Reads the settings, or raises `SettingError` for the first that is missing or malformed."""
        read = Reader(block)
        environment = read.text("APP_ENV")
        refuse_foreign_key(environment, read.text("LLM_API_KEY"))
        return cls(
            environment=environment,
            host=read.text("HOST"),
            port=read.number("PORT", int),
            debug=read.choice("DEBUG", {"true": True, "false": False}),
            log_level=read.choice("LOG_LEVEL", {name: name.upper() for name in ("debug", "info", "warning")}),
            database=read.sqlite("DB_URL"),
            vectors=Path(read.text("VECTOR_DB")),
            sample=read.number("VECTOR_SAMPLE", float),
            model=read.choice("MODEL", {"small": "small", "large": "large"}),
            rate_per_minute=read.number("RATE_LIMIT_PER_MINUTE", int),
            timeout_s=read.duration("REQUEST_TIMEOUT"),
            session_secret=read.text("SESSION_SECRET").encode(),
        )


class Reader:
    """Turns variables into values."""

    def __init__(self, block: dict[str, str]) -> None:
        self._block = block

    def text(self, name: str) -> str:
        value = self._block.get(name, "")
        if not value:
            raise SettingError(f"{name} is not set")
        return value

    def choice(self, name: str, values: dict[str, Any]) -> Any:
        try:
            return values[self.text(name).lower()]
        except KeyError:
            raise SettingError(f"{name} must be one of {', '.join(values)}") from None

    def number(self, name: str, kind: type) -> Any:
        try:
            number = kind(self.text(name))
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise SettingError(f"{name} must be a number that is not negative")
        return number

    def duration(self, name: str) -> float:
        match = re.fullmatch(r"(\d+)(ms|s|m)", self.text(name))
        if not match:
            raise SettingError(f"{name} must be a number with the unit ms, s or m")
        return int(match[1]) * {"ms": 0.001, "s": 1, "m": 60}[match[2]]

    def sqlite(self, name: str) -> Path:
        value = self.text(name)
        if not value.startswith("sqlite:///"):
            raise SettingError(f"{name} must begin with sqlite:///")
        return Path(value.removeprefix("sqlite:///"))


def refuse_foreign_key(environment: str, key: str) -> None:
    """A live key works in production only, and a test key everywhere else."""
    production = environment in ("prod", "production")
    if not key.startswith("live_" if production else "test_"):
        raise SettingError(f"LLM_API_KEY is of the wrong class for {environment}")


def words(text: str) -> list[str]:
    """The words of a text, without those that say little and with a plain plural cut off."""
    little = {"a", "an", "and", "are", "as", "for", "how", "in", "is", "it", "of", "on", "or", "the", "to", "what", "why"}
    found = (word.removesuffix("s") for word in re.findall(r"[a-z]+", text.lower()) if word not in little)
    return [word for word in found if len(word) > 1]


def vector(text: str) -> list[float]:
    """Hashed word counts, dampened and of length 1 (feature hashing: Weinberger et al., 2009)."""
    counts = [0.0] * DIMENSIONS
    for word in words(text):
        digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
        counts[int.from_bytes(digest, "big") % DIMENSIONS] += 1
    dampened = [math.log1p(count) for count in counts]
    length = math.hypot(*dampened) or 1.0
    return [weight / length for weight in dampened]


def likeness(one: Iterable[float], other: Iterable[float]) -> float:
    """The cosine of two vectors of length 1."""
    return sum(left * right for left, right in zip(one, other, strict=True))


@dataclass(frozen=True)
class Document:
    """A text with its name and vector."""

    name: str
    text: str
    vector: list[float]


def sampled(paths: Iterable[Path], fraction: float) -> list[Path]:
    """The same share of documents every time; a smaller share lies inside a larger one."""

    def position(path: Path) -> float:
        digest = hashlib.blake2b(path.name.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    return sorted(path for path in paths if position(path) < fraction)


def build_index(target: Path, fraction: float) -> list[Document]:
    """Writes the index whole under another name, then renames it, and gives what it holds."""
    documents = [
        Document(path.stem, text, vector(text))
        for path in sampled(DOCUMENTS.glob("*.md"), fraction)
        for text in [path.read_text(encoding="utf-8")]
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent)
    os.close(handle)
    try:
        with closing(sqlite3.connect(temporary)) as index, index:
            index.execute("CREATE TABLE document (name TEXT PRIMARY KEY, text TEXT, vector TEXT)")
            rows = ((document.name, document.text, json.dumps(document.vector)) for document in documents)
            index.executemany("INSERT INTO document VALUES (?, ?, ?)", rows)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return documents


@dataclass(frozen=True)
class Answer:
    """What the model says, and how near each document was."""

    text: str
    sources: list[str]
    scores: dict[str, float]


def answer(question: str, documents: list[Document], model: str) -> Answer:
    """`small` gives the best sentence; `large` the best one of each of the three nearest documents."""
    asked = vector(question)
    nearest = sorted(documents, key=lambda document: -likeness(asked, document.vector))
    chosen = [document for document in nearest[: 3 if model == "large" else 1] if likeness(asked, document.vector) > 0]
    picked = [best_sentence(asked, document.text) for document in chosen]
    scores = {document.name: round(likeness(asked, document.vector), 4) for document in nearest}
    return Answer(" ".join(picked) or "I do not know.", [document.name for document in chosen], scores)


def best_sentence(asked: list[float], text: str) -> str:
    body = " ".join(line for line in text.splitlines() if line and not line.startswith("#"))
    sentences = [sentence for sentence in re.split(r"(?<=[.!?])\s+", body) if sentence]
    return max(sentences, key=lambda sentence: likeness(asked, vector(sentence)))


class Limiter:
    """At most so many requests in any minute; 0 means no limit."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._taken: deque[float] = deque()
        self._lock = threading.Lock()

    def wait_s(self) -> int:
        """0 where the request may go on, else the seconds until one may."""
        if not self._per_minute:
            return 0
        with self._lock:
            now = time.monotonic()
            while self._taken and self._taken[0] <= now - 60:
                self._taken.popleft()
            if len(self._taken) < self._per_minute:
                self._taken.append(now)
                return 0
            return math.ceil(self._taken[0] + 60 - now)


class Service(ThreadingHTTPServer):
    """The server with everything that its requests share."""

    daemon_threads = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.documents = build_index(settings.vectors, settings.sample)
        self.limiter = Limiter(settings.rate_per_minute)
        settings.database.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(settings.database)) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS question (id TEXT PRIMARY KEY, text TEXT, asked REAL)")
        super().__init__((settings.host, settings.port), Handler)

    def ask(self, question: str) -> dict[str, Any]:
        """Answers, and keeps the question."""
        found = answer(question, self.documents, self.settings.model)
        asked = time.time()
        name = hmac.new(self.settings.session_secret, f"{asked}{question}".encode(), "sha256").hexdigest()[:16]
        connection = sqlite3.connect(self.settings.database, timeout=self.settings.timeout_s)
        with closing(connection) as database, database:
            database.execute("INSERT INTO question VALUES (?, ?, ?)", (name, question, asked))
        body: dict[str, Any] = {
            "answer": found.text,
            "sources": found.sources,
            "model": self.settings.model,
            "environment": self.settings.environment,
            "id": name,
        }
        if self.settings.debug:
            body["debug"] = {"scores": found.scores}
        return body


class RequestError(Exception):
    """A request that gets an error for an answer."""

    def __init__(self, status: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class Handler(BaseHTTPRequestHandler):
    """`GET /health`, `GET /ask?q=…`, `POST /ask`; answers and errors are JSON."""

    server: Service
    server_version = "assistant"
    sys_version = ""

    def setup(self) -> None:
        self.timeout = self.server.settings.timeout_s
        super().setup()

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _get(self) -> dict[str, Any]:
        url = urlsplit(self.path)
        if url.path == "/health":
            return {"status": "ok", "environment": self.server.settings.environment}
        if url.path == "/ask":
            return self._ask(parse_qs(url.query).get("q", [""])[0])
        raise RequestError(HTTPStatus.NOT_FOUND, "there is /ask and /health")

    def _post(self) -> dict[str, Any]:
        if urlsplit(self.path).path != "/ask":
            raise RequestError(HTTPStatus.NOT_FOUND, "there is /ask")
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY_BYTES} bytes")
        try:
            question = json.loads(self.rfile.read(int(length)))["question"]
        except (ValueError, KeyError, TypeError):
            question = None
        if not isinstance(question, str):
            raise RequestError(HTTPStatus.BAD_REQUEST, 'send {"question": "…"}')
        return self._ask(question)

    def _ask(self, question: str) -> dict[str, Any]:
        if not question.strip():
            raise RequestError(HTTPStatus.BAD_REQUEST, "the question is empty")
        wait_s = self.server.limiter.wait_s()
        if wait_s:
            raise RequestError(HTTPStatus.TOO_MANY_REQUESTS, "too many questions", {"Retry-After": str(wait_s)})
        return self.server.ask(question)

    def _answer(self, work: Any) -> None:
        try:
            self._send(HTTPStatus.OK, work(), {})
        except RequestError as error:
            self._send(error.status, {"error": str(error)}, error.headers)
        except Exception:
            log.exception("a request failed")
            body = {"error": "internal error"}
            if self.server.settings.debug:
                body["traceback"] = traceback.format_exc()
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, body, {})

    def _send(self, status: HTTPStatus, body: dict[str, Any], headers: dict[str, str]) -> None:
        data = json.dumps(body, ensure_ascii=False).encode() + b"\n"
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        # The path without its query: a question is nobody's business but the asker's.
        log.info("%s %s %s", self.command, urlsplit(self.path).path, int(code))

    def log_message(self, form: str, *values: Any) -> None:
        log.info("a request could not be read")


def main() -> int:
    try:
        settings = Settings.from_environment(dict(os.environ))
    except SettingError as error:
        print(f"assistant: {error}", file=sys.stderr)
        return USAGE_ERROR
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(message)s")
    service = Service(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=service.shutdown).start())
    host, port = service.server_address[:2]
    print(
        f"assistant: listening on http://{host}:{port} ({settings.environment}, {settings.model} model, "
        f"{len(service.documents)} of {len(list(DOCUMENTS.glob('*.md')))} documents)",
        file=sys.stderr,
        flush=True,
    )
    service.serve_forever(poll_interval=0.1)
    service.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
