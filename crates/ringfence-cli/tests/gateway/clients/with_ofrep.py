"""OpenFeature's OFREP provider for Python, with the gateway's token."""

import os

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

production = os.environ["ENVIRONMENT"] == "prod"
# Inside a run these two variables are all that a program needs to know.
base = os.environ.get("OFREP_ENDPOINT") or os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
headers = os.environ.get("OFREP_HEADERS") or f"Authorization=Bearer {os.environ['OPENAI_API_KEY']}"
api.set_provider(OFREPProvider(base, headers_factory=lambda: dict([headers.split("=", 1)])))
client = api.get_client()
caller = EvaluationContext("ana", {"plan": "pro", "environment": "prod"})
assert client.get_boolean_value("rate_limiting", None) is production
assert client.get_float_value("timeout", 0.0) == (5.0 if production else 30.0)
assert client.get_integer_value("page_size", 0) == (100 if production else 20)
assert client.get_string_value("a/b c", "") == "slash"
assert client.get_string_value("off", "own default") == "own default"
assert client.get_string_value("none", "own default") == "own default"
assert client.get_string_value("model", "", caller) == ("large" if production else "small")
print("fine")
