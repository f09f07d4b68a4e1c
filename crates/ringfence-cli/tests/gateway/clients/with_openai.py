"""The `openai` package for Python: chat, streams, tools, structured output, embeddings, errors, retries."""

import os
import time

import openai
import pydantic

production = os.environ["ENVIRONMENT"] == "prod"
model = os.environ["EXPECTED_MODEL"]
client = openai.OpenAI()
hello = [{"role": "user", "content": "hello there"}]


def refused(kind, code, call):
    began = time.monotonic()
    try:
        call()
    except kind as error:
        assert error.code == code, (error.code, error)
        assert time.monotonic() - began < 0.4, "it was tried again"
        return error
    raise AssertionError(f"{code} was not refused")


answer = client.chat.completions.create(model="chat", messages=hello, max_tokens=20)
assert answer.choices[0].message.content == "You said: hello there", answer
assert answer.model == model, answer
assert answer._request_id.startswith("req_")
chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=hello, stream=True, max_tokens=20))
assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "You said: hello there"
if production:
    client.embeddings.create(model="embed", input="a")
    error = refused(openai.RateLimitError, "rate_limit_exceeded", lambda: client.with_options(max_retries=0).embeddings.create(model="embed", input="a"))
    assert int(error.response.headers["retry-after-ms"]) > 0
    error = refused(openai.AuthenticationError, "wrong_environment", lambda: openai.OpenAI(api_key=os.environ["OTHER_TOKEN"]).models.list())
    assert "belongs to `staging`" in str(error), error
    print("fine", openai.__version__)
    raise SystemExit

with_usage = list(client.chat.completions.create(model="chat", messages=hello, stream=True, stream_options={"include_usage": True}))
assert with_usage[-1].usage.total_tokens > 0 and with_usage[-1].choices == []
tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
call = client.chat.completions.create(model="chat", messages=hello, tools=tools).choices[0].message.tool_calls[0]
assert (call.function.name, call.function.arguments) == ("weather", '{"city":"mock"}'), call
pieces = [chunk.choices[0].delta.tool_calls for chunk in client.chat.completions.create(model="chat", messages=hello, tools=tools, stream=True)]
assert pieces[0][0].function.name == "weather" and pieces[0][0].index == 0
schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {"age": {"type": "integer"}}}}}
text = client.chat.completions.create(model="chat", messages=hello, response_format=schema).choices[0].message.content
assert text == '{"age":0}', text


class Step(pydantic.BaseModel):
    number: int
    note: str | None


class Steps(pydantic.BaseModel):
    steps: list[Step]
    first: Step


parsed = client.chat.completions.parse(model="chat", messages=hello, response_format=Steps).choices[0].message.parsed
assert parsed.first == Step(number=0, note="mock") and parsed.steps == [], parsed
vectors = client.embeddings.create(model="embed", input=["a", "b"]).data
plain = client.embeddings.create(model="embed", input=["a", "b"], encoding_format="float").data
assert [row.embedding for row in vectors] == [row.embedding for row in plain]
assert len(client.embeddings.create(model="embed", input=[1, 2, 3]).data) == 1
assert client.completions.create(model="chat", prompt="x").choices[0].text == "You said: x"
assert client.responses.create(model="chat", input="x").output_text == "You said: x"
with client.responses.stream(model="chat", input="x") as events:
    kinds = [event.type for event in events]
    said = events.get_final_response().output_text
assert kinds[0] == "response.created" and kinds[-1] == "response.completed" and said == "You said: x", (kinds, said)
tool = {"type": "function", "name": "weather", "strict": False, "parameters": tools[0]["function"]["parameters"]}
with client.responses.stream(model="chat", input="x", tools=[tool]) as events:
    call = events.get_final_response().output[0]
assert (call.type, call.name, call.arguments) == ("function_call", "weather", '{"city":"mock"}'), call
assert [row.id for row in client.models.list()] == ["chat", "embed", "gpt-4o-mini"]
error = refused(openai.NotFoundError, "model_not_found", lambda: client.chat.completions.create(model="gpt-9", messages=hello))
assert "known: chat" in str(error)
refused(openai.AuthenticationError, "wrong_environment", lambda: openai.OpenAI(api_key=os.environ["OTHER_TOKEN"]).models.list())
refused(openai.AuthenticationError, "invalid_token", lambda: openai.OpenAI(api_key="sk-of-a-person").models.list())
print("fine", openai.__version__)
