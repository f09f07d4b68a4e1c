"""The service as a process: in a folder of its own, on a free port, with nothing but its settings around it."""

from __future__ import annotations

import hmac
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import assistant

HERE = Path(__file__).parent
QUESTION = "/ask?q=What+is+staging+for%3F"
CANARY = "canary7x9q2"  # part of every secret and of every malformed value; nothing may ever print it
SESSION_SECRET = f"session-{CANARY}"

DEV = {
    "APP_ENV": "dev",
    "PORT": "0",
    "DEBUG": "true",
    "LOG_LEVEL": "debug",
    "DB_URL": "sqlite:///data/questions.db",
    "VECTOR_DB": "data/vectors.db",
    "VECTOR_SAMPLE": "0.5",
    "RATE_LIMIT_PER_MINUTE": "0",
    "REQUEST_TIMEOUT": "5s",
    "SESSION_SECRET": SESSION_SECRET,
}
TEST = DEV | {"APP_ENV": "test", "LOG_LEVEL": "info", "VECTOR_SAMPLE": "0.25"}
STAGING = DEV | {"APP_ENV": "staging", "DEBUG": "false", "LOG_LEVEL": "info", "VECTOR_SAMPLE": "1"}
PROD = STAGING | {
    "APP_ENV": "prod",
    "LOG_LEVEL": "warning",
    "RATE_LIMIT_PER_MINUTE": "2",
}


@dataclass(frozen=True)
class Reply:
    """What the service sent back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.text))


class Service:
    """A running service, up to the first line that it prints."""

    def __init__(self, folder: Path, block: dict[str, str]) -> None:
        command = [sys.executable, "-B", "assistant.py"]
        self.process = subprocess.Popen(command, env=block, cwd=folder, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr
        self.greeting = self.process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+) ", self.greeting)
        self.port = int(found[1]) if found else 0

    def send(self, path: str, method: str = "GET", body: bytes | None = None) -> Reply:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path, body)
            response = connection.getresponse()
            return Reply(response.status, dict(response.headers), response.read().decode())

    def send_raw(self, request: bytes) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            with connection.makefile("rb") as answer:
                return answer.read().decode()

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Its exit status, and everything that it printed."""
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=10)
        return self.process.returncode, self.greeting + rest


class ServiceTest(unittest.TestCase):
    """Each test has a copy of the service in a folder that goes away afterwards."""

    def setUp(self) -> None:
        self._stack = ExitStack()
        self.addCleanup(self._stack.close)
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.copy(HERE / "assistant.py", self.folder)
        shutil.copytree(HERE / "documents", self.folder / "documents")

    def launch(self, block: dict[str, str], **changes: str) -> Service:
        service = Service(self.folder, block | changes)
        self._stack.callback(self._put_away, service.process)
        return service

    def start(self, block: dict[str, str], **changes: str) -> Service:
        service = self.launch(block, **changes)
        self.assertIn("listening on http://127.0.0.1:", service.greeting)
        return service

    def refused(self, block: dict[str, str], **changes: str) -> tuple[int, str]:
        """The exit status and the message of a service that does not start."""
        service = self.launch(block, **changes)
        _, rest = service.process.communicate(timeout=10)
        self.assertEqual(rest, "", "the message is one line")
        return service.process.returncode, service.greeting

    @staticmethod
    def _put_away(process: subprocess.Popen[str]) -> None:
        process.kill()
        process.communicate()


class Environments(ServiceTest):
    def test_each_environment_starts_and_says_which_it_is(self) -> None:
        expected = {
            "(dev, quotes, 7 of 12 documents)": DEV,
            "(test, quotes, 2 of 12 documents)": TEST,
            "(staging, quotes, 12 of 12 documents)": STAGING,
            "(prod, quotes, 12 of 12 documents)": PROD,
        }
        for greeting, block in expected.items():
            with self.subTest(block["APP_ENV"]):
                service = self.start(block)
                self.assertIn(greeting, service.greeting)
                reply = service.send("/health")
                self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, "application/json"))
                self.assertEqual(reply.body, {"status": "ok", "environment": block["APP_ENV"]})

    def test_without_a_model_it_quotes_and_dev_shows_its_scores(self) -> None:
        body = self.start(DEV).send(QUESTION).body
        expected = "Staging is for rehearsing a release before its users see it. [staging]"
        self.assertTrue(body["answer"].startswith(expected), body)
        self.assertEqual((body["sources"][0], body["model"], body["environment"]), ("staging", None, "dev"))
        self.assertEqual(len(body["debug"]["scores"]), 7)

    def test_prod_gives_sentences_with_sources_and_shows_nothing_else(self) -> None:
        body = self.start(PROD).send(QUESTION).body
        self.assertEqual(len(re.findall(r"\[[a-z-]+\]", body["answer"])), 3)
        self.assertEqual(set(body), {"answer", "sources", "model", "environment", "id"})

    def test_prod_limits_questions_and_says_when_to_come_back(self) -> None:
        service = self.start(PROD)
        replies = [service.send(QUESTION) for _ in range(3)]
        self.assertEqual([reply.status for reply in replies], [200, 200, 429])
        self.assertIn(int(replies[2].headers["Retry-After"]), range(1, 61))
        self.assertEqual(service.send("/health").status, 200)

    def test_dev_does_not_limit(self) -> None:
        service = self.start(DEV)
        self.assertEqual({service.send(QUESTION).status for _ in range(20)}, {200})

    def test_a_failure_shows_its_traceback_in_dev_only(self) -> None:
        for block, shown in [(DEV, True), (PROD, False)]:
            with self.subTest(block["APP_ENV"]):
                service = self.start(block)
                shutil.rmtree(self.folder / "data")
                reply = service.send(QUESTION)
                self.assertEqual((reply.status, reply.body["error"]), (500, "internal error"))
                self.assertEqual("Traceback" in reply.text and "sqlite3" in reply.text, shown)
                self.assertEqual("debug" in reply.body, shown)


class Requests(ServiceTest):
    def test_a_posted_question_gets_the_same_answer(self) -> None:
        service = self.start(DEV)
        posted = service.send("/ask", "POST", json.dumps({"question": "What is staging for?"}).encode()).body
        asked = service.send(QUESTION).body
        self.assertNotEqual(posted.pop("id"), asked.pop("id"))
        self.assertEqual(posted, asked)

    def test_an_answers_id_is_signed_and_its_question_kept(self) -> None:
        name = self.start(DEV).send(QUESTION).body["id"]
        random, signature = name.split(".")
        expected = hmac.new(SESSION_SECRET.encode(), random.encode(), "sha256").hexdigest()
        self.assertTrue(expected.startswith(signature) and len(signature) == 32)
        with closing(sqlite3.connect(self.folder / "data/questions.db")) as database:
            rows = database.execute("SELECT id, text FROM question").fetchall()
        self.assertEqual(rows, [(name, "What is staging for?")])

    def test_what_no_document_says_is_not_made_up(self) -> None:
        body = self.start(STAGING).send("/ask?q=Who+baked+the+bread").body
        self.assertEqual((body["answer"], body["sources"]), ("The documents do not say.", []))

    def test_a_malformed_question_is_refused(self) -> None:
        service = self.start(STAGING)
        bodies = [b"", b"{", b"[]", b"{}", b"\xff\xfe\xfa", b'{"question": 1}', b'{"question": " "}', b"[" * 50_000]
        for body in [*bodies, b'{"question": "\\ud800"}']:
            with self.subTest(body[:20]):
                reply = service.send("/ask", "POST", body)
                self.assertEqual((reply.status, list(reply.body)), (400, ["error"]))
        for path in ["/ask", "/ask?q=", "/ask?q=+"]:
            self.assertEqual(service.send(path).status, 400)

    def test_a_body_has_at_most_64_kib(self) -> None:
        service = self.start(STAGING)
        edge = json.dumps({"question": "staging"}).encode().ljust(64 * 1024)
        self.assertEqual(service.send("/ask", "POST", edge).status, 200)
        self.assertEqual(service.send("/ask", "POST", edge + b" ").status, 413)
        self.assertEqual(service.send("/ask", "POST", bytes(900_000)).status, 413)

    def test_a_body_needs_a_length_that_is_one(self) -> None:
        service = self.start(STAGING, REQUEST_TIMEOUT="300ms")
        for header, status in [
            ("Transfer-Encoding: chunked", 411),
            ("Content-Length: -1", 400),
            ("Content-Length: many", 400),
            ("Content-Length: 5", 408),
            ("Content-Length: 99999999", 413),
        ]:
            with self.subTest(header):
                answer = service.send_raw(f"POST /ask HTTP/1.1\r\n{header}\r\n\r\n".encode())
                self.assertTrue(answer.startswith(f"HTTP/1.0 {status} "), answer)
                self.assertIn('\r\n\r\n{"error": ', answer)

    def test_unknown_paths_and_methods_get_json(self) -> None:
        service = self.start(STAGING)
        self.assertIn("error", service.send("/").body)
        self.assertEqual(service.send("/nowhere", "DELETE").status, 404)
        for method, path, allowed in [("PUT", "/ask", "GET, POST"), ("POST", "/health", "GET")]:
            reply = service.send(path, method, b"{}")
            self.assertEqual((reply.status, reply.headers["Allow"]), (405, allowed))
            self.assertIn("error", reply.body)
        head = service.send("/ask", "HEAD")
        self.assertEqual((head.status, head.text), (405, ""))
        unknown = service.send("/ask", "BREW")
        self.assertEqual((unknown.status, unknown.body), (501, {"error": "not implemented"}))


class Model(BaseHTTPRequestHandler):
    """A model's API: it keeps what it was asked, and answers as it was told to."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Authorization"], json.loads(body)))
        status, reply = self.server.answer
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *values: Any) -> None:
        pass


class Asking(ServiceTest):
    def start_with_model(self, block: dict[str, str], status: int, reply: bytes) -> Service:
        self.model = ThreadingHTTPServer(("127.0.0.1", 0), Model)
        self.model.asked, self.model.answer = [], (status, reply)
        threading.Thread(target=self.model.serve_forever, daemon=True).start()
        self._stack.callback(self.model.server_close)
        self._stack.callback(self.model.shutdown)
        url = f"http://127.0.0.1:{self.model.server_port}/v1"
        return self.start(block, OPENAI_BASE_URL=url, OPENAI_API_KEY=f"token-{CANARY}")

    def test_the_model_answers_from_the_sentences(self) -> None:
        reply = b'{"model": "large", "choices": [{"message": {"content": "For rehearsing. [staging]"}}]}'
        service = self.start_with_model(DEV, 200, reply)
        self.assertIn("(dev, asks a model, 7 of 12 documents)", service.greeting)
        body = service.send(QUESTION).body
        self.assertEqual((body["answer"], body["model"]), ("For rehearsing. [staging]", "large"))
        [(path, key, asked)] = self.model.asked
        self.assertEqual((path, key), ("/v1/chat/completions", f"Bearer token-{CANARY}"))
        self.assertEqual(asked["model"], "chat")
        self.assertIn("Staging is for rehearsing a release", asked["messages"][1]["content"])

    def test_a_question_without_sentences_is_not_asked(self) -> None:
        service = self.start_with_model(DEV, 500, b"")
        body = service.send("/ask?q=xylophone").body
        self.assertEqual((body["answer"], self.model.asked), ("The documents do not say.", []))

    def test_a_model_that_limits_or_fails_is_told_apart(self) -> None:
        for status, reply, expected in [(429, b"{}", 429), (500, b"{}", 502), (200, b"no JSON", 502), (200, b"[]", 502)]:
            with self.subTest(f"{status} {reply!r}"):
                service = self.start_with_model(DEV, status, reply)
                answer = service.send(QUESTION)
                self.assertEqual(answer.status, expected)
                self.assertEqual(answer.headers.get("Retry-After"), "7" if expected == 429 else None)
                _, printed = service.end()
                self.assertIn("WARNING the model", printed)
                self.assertNotIn(CANARY, answer.text + printed)


class Starting(ServiceTest):
    def complaint(self, block: dict[str, str]) -> str:
        """What reading these settings ends with, without starting a process for each."""
        with self.assertRaises(assistant.SettingError) as caught:
            assistant.Settings.from_environment(block)
        return str(caught.exception)

    def test_a_refusal_is_one_line_and_status_2(self) -> None:
        self.assertEqual(self.refused(DEV, SESSION_SECRET=""), (2, "assistant: SESSION_SECRET is not set\n"))
        self.assertEqual(
            self.refused(DEV, PORT=CANARY), (2, "assistant: PORT must be a whole number from 0 to 65535\n")
        )

    def test_a_missing_setting_is_named(self) -> None:
        for name in DEV:
            with self.subTest(name):
                block = {other: value for other, value in DEV.items() if other != name}
                self.assertEqual(self.complaint(block), f"{name} is not set")

    def test_a_malformed_setting_is_named_and_not_shown(self) -> None:
        for name in sorted(set(DEV) - {"VECTOR_DB", "SESSION_SECRET"}):
            with self.subTest(name):
                complaint = self.complaint(DEV | {name: CANARY})
                self.assertRegex(complaint, rf"^{name} must ")
                self.assertNotIn(CANARY, complaint)

    def test_a_number_out_of_range_is_refused(self) -> None:
        for name, value in [
            ("PORT", "65536"),
            ("PORT", "-1"),
            ("VECTOR_SAMPLE", "1.01"),
            ("VECTOR_SAMPLE", "nan"),
            ("RATE_LIMIT_PER_MINUTE", "1e3"),
            ("REQUEST_TIMEOUT", "30"),
            ("REQUEST_TIMEOUT", "0s"),
        ]:
            with self.subTest(f"{name}={value}"):
                self.assertTrue(self.complaint(DEV | {name: value}).startswith(f"{name} must be "))

    def test_settings_do_not_show_their_secret(self) -> None:
        self.assertNotIn(CANARY, repr(assistant.Settings.from_environment(DEV)))

    def test_a_model_needs_an_address_and_a_key(self) -> None:
        self.assertEqual(self.complaint(DEV | {"OPENAI_BASE_URL": "http://127.0.0.1/v1"}), "OPENAI_API_KEY is not set")
        complaint = self.complaint(DEV | {"OPENAI_BASE_URL": f"mock://{CANARY}"})
        self.assertEqual(complaint, "OPENAI_BASE_URL must be http:// or https:// and an address")

    def test_what_cannot_be_used_is_named_and_not_shown(self) -> None:
        (self.folder / f"{CANARY}.txt").write_text("not a folder, and no database")
        occupied = str(self.start(DEV).port)
        for name, value in [
            ("PORT", occupied),
            ("HOST", f"{CANARY}..example"),
            ("DB_URL", f"sqlite:///{CANARY}.txt/questions.db"),
            ("DB_URL", f"sqlite:///{CANARY}.txt"),
            ("VECTOR_DB", f"{CANARY}.txt"),
        ]:
            with self.subTest(f"{name}={value}"):
                status, message = self.refused(DEV, **{name: value})
                self.assertEqual(status, 1)
                self.assertRegex(message, rf"^assistant: .*{name}.* cannot be used: ")
                self.assertNotIn(CANARY, message)

    def test_one_file_is_not_both_databases(self) -> None:
        status, message = self.refused(DEV, VECTOR_DB="./data/../data/questions.db")
        self.assertEqual((status, message), (2, "assistant: DB_URL and VECTOR_DB name the same file\n"))


class Ending(ServiceTest):
    def test_both_signals_end_it_with_status_0(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                service = self.start(DEV)
                with socket.create_connection(("127.0.0.1", service.port)):  # a client that has not asked yet
                    code, printed = service.end(number)
                self.assertEqual((code, "Traceback" in printed), (0, False))

    def test_the_log_has_one_line_for_each_request_and_no_secret_or_question(self) -> None:
        service = self.start(TEST)
        service.send(QUESTION)
        service.send(f"/nowhere?{CANARY}", "POST", CANARY.encode())
        service.send_raw(b"GET /\x1b[31m HTTP/1.0\r\n\r\n")
        _, printed = service.end()
        expected = ["INFO GET /ask 200", "INFO POST /nowhere 404", r"INFO GET /\x1b[31m 404"]
        self.assertEqual(printed.splitlines()[1:], expected)
        self.assertNotIn(CANARY, printed)

    def test_prod_logs_no_requests(self) -> None:
        service = self.start(PROD)
        service.send(QUESTION)
        service.send("/nowhere")
        self.assertEqual(service.end(), (0, service.greeting))


class IndexFile(ServiceTest):
    def index(self) -> Path:
        return self.folder / "data/vectors.db"

    def test_it_is_kept_while_nothing_changes(self) -> None:
        self.start(DEV).end()
        before = self.index().stat()
        self.start(DEV).end()
        self.assertEqual(self.index().stat().st_ino, before.st_ino)
        self.assertEqual(os.listdir(self.folder / "data").count("vectors.db"), 1)

    def test_it_is_built_again_when_the_sample_or_a_document_changes(self) -> None:
        self.assertIn("7 of 12", self.start(DEV).greeting)
        self.assertIn("12 of 12", self.start(DEV, VECTOR_SAMPLE="1").greeting)
        document = self.folder / "documents/staging.md"
        document.write_text("# Staging\n\nStaging is for singing aloud.\n", encoding="utf-8")
        self.assertIn("singing aloud", self.start(DEV).send(QUESTION).body["answer"])

    def test_it_keeps_what_others_store_beside_it(self) -> None:
        self.start(DEV).end()
        with closing(sqlite3.connect(self.index())) as file, file:
            file.execute("CREATE TABLE marker AS SELECT 'dev' AS environment")
        self.start(DEV, VECTOR_SAMPLE="1").end()
        with closing(sqlite3.connect(self.index())) as file:
            self.assertEqual(file.execute("SELECT environment FROM marker").fetchall(), [("dev",)])

    def test_somebody_elses_table_is_not_replaced(self) -> None:
        self.index().parent.mkdir()
        with closing(sqlite3.connect(self.index())) as file, file:
            file.execute("CREATE TABLE document AS SELECT 'theirs' AS text")
        before = self.index().read_bytes()
        status, message = self.refused(DEV)
        self.assertEqual((status, "VECTOR_DB cannot be used" in message), (1, True))
        self.assertEqual(self.index().read_bytes(), before)

    def test_several_processes_may_build_it_at_once(self) -> None:
        command = [sys.executable, "-B", "assistant.py"]
        for _ in range(2):
            shutil.rmtree(self.folder / "data", ignore_errors=True)
            started = [
                subprocess.Popen(command, env=DEV, cwd=self.folder, stderr=subprocess.PIPE, text=True) for _ in range(4)
            ]
            for process in started:
                self._stack.callback(self._put_away, process)
            for process in started:
                assert process.stderr
                self.assertIn("7 of 12 documents", process.stderr.readline())
            with closing(sqlite3.connect(self.index())) as file:
                self.assertEqual(file.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertEqual(sorted(os.listdir(self.folder / "data")), ["questions.db", "vectors.db"])


class Samples(unittest.TestCase):
    def test_a_smaller_sample_lies_inside_a_larger_one(self) -> None:
        paths = list((HERE / "documents").glob("*.md"))
        samples = [set(assistant.sampled(paths, hundredths / 100)) for hundredths in range(101)]
        self.assertTrue(all(smaller <= larger for smaller, larger in pairwise(samples)))
        self.assertEqual((samples[0], samples[100]), (set(), set(paths)))

    def test_a_documents_place_depends_on_its_name_alone(self) -> None:
        names = ["a.md", "b.md", "c.md", "d.md", "e.md", "f.md"]
        here = [path.name for path in assistant.sampled(map(Path, names), 0.5)]
        there = [path.name for path in assistant.sampled((Path("/elsewhere") / name for name in reversed(names)), 0.5)]
        self.assertEqual(here, there)


if __name__ == "__main__":
    unittest.main()
