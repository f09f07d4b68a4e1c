"""The service as a process, in a folder of its own, with nothing in its block but its settings."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import assistant

SCRIPT = Path(__file__).parent / "assistant.py"

DEV = {
    "APP_ENV": "dev",
    "HOST": "127.0.0.1",
    "PORT": "0",
    "DEBUG": "true",
    "LOG_LEVEL": "debug",
    "DB_URL": "sqlite:///data/dev.db",
    "VECTOR_DB": "data/vectors.db",
    "VECTOR_SAMPLE": "0.5",
    "MODEL": "small",
    "RATE_LIMIT_PER_MINUTE": "0",
    "REQUEST_TIMEOUT": "5s",
    "LLM_API_KEY": "test_canary",
    "SESSION_SECRET": "words-canary",
}
PROD = DEV | {
    "APP_ENV": "prod",
    "DEBUG": "false",
    "LOG_LEVEL": "warning",
    "VECTOR_SAMPLE": "1",
    "MODEL": "large",
    "RATE_LIMIT_PER_MINUTE": "2",
    "LLM_API_KEY": "live_canary",
}


class Running:
    """The service while a test asks it."""

    def __init__(self, block: dict[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], env=block, cwd=self._folder.name, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr
        self.line = self.process.stderr.readline()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=10)
        return self.process.returncode, self.line + said

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any], dict[str, str]]:
        address = re.search(r"http://\S+", self.line)
        assert address, self.line
        try:
            with urlopen(Request(address[0] + path, data=body), timeout=10) as answer:
                return answer.status, json.load(answer), dict(answer.headers)
        except HTTPError as error:
            with error:
                return error.code, json.load(error), dict(error.headers)


class Assistant(unittest.TestCase):
    def test_dev_answers_with_one_sentence_and_scores(self) -> None:
        with Running(DEV) as service:
            status, body, _ = service.ask("/ask?q=What+is+production+for")
            self.assertEqual((status, body["environment"], body["model"]), (200, "dev", "small"))
            self.assertEqual(len(body["sources"]), 1)
            self.assertIn("scores", body["debug"])

    def test_prod_answers_with_sources_and_no_debug(self) -> None:
        with Running(PROD) as service:
            status, body, _ = service.ask("/ask", json.dumps({"question": "What is staging for?"}).encode())
            self.assertEqual((status, body["model"], body["sources"][0]), (200, "large", "staging"))
            self.assertIn("rehears", body["answer"])
            self.assertNotIn("debug", body)

    def test_prod_limits_and_says_when_to_come_back(self) -> None:
        with Running(PROD) as service:
            statuses = [service.ask("/ask?q=keys") for _ in range(3)]
            self.assertEqual([status for status, _, _ in statuses], [200, 200, 429])
            self.assertGreater(int(statuses[2][2]["Retry-After"]), 0)
            self.assertEqual(service.ask("/health")[0], 200)

    def test_bad_requests_get_json_errors(self) -> None:
        with Running(DEV) as service:
            self.assertEqual(service.ask("/nowhere")[0], 404)
            self.assertEqual(service.ask("/ask?q=")[0], 400)
            self.assertEqual(service.ask("/ask", b"{")[0], 400)
            self.assertEqual(service.ask("/ask", b"x" * 70_000)[0], 413)

    def test_term_ends_it_and_no_secret_is_said(self) -> None:
        with Running(DEV) as service:
            service.ask("/ask?q=keys")
            code, said = service.stop()
            self.assertEqual(code, 0)
            self.assertNotIn("canary", said)

    def test_what_is_wrong_is_named_without_its_value(self) -> None:
        for change, name in [
            ({"PORT": "canary"}, "PORT"),
            ({"REQUEST_TIMEOUT": "30"}, "REQUEST_TIMEOUT"),
            ({"LLM_API_KEY": "live_canary"}, "LLM_API_KEY"),
            ({"MODEL": ""}, "MODEL"),
        ]:
            with Running(DEV | change) as service:
                self.assertEqual(service.process.wait(10), 2)
                self.assertIn(name, service.line)
                self.assertNotIn("canary", service.line)

    def test_a_smaller_sample_lies_in_a_larger_one(self) -> None:
        paths = list(assistant.DOCUMENTS.glob("*.md"))
        quarter, half = (set(assistant.sampled(paths, share)) for share in (0.25, 0.5))
        self.assertTrue(quarter < half < set(paths))


if __name__ == "__main__":
    unittest.main()
