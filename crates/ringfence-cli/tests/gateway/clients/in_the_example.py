"""Clients inside a run of the example: each asks for `chat`, and gets the environment's model."""

import importlib.util
import os

import openai

model = os.environ["EXPECTED_MODEL"]
hello = [{"role": "user", "content": "hello there"}]
client = openai.OpenAI()
answer = client.chat.completions.create(model="chat", messages=hello)
assert (answer.model, answer.choices[0].message.content) == (model, "You said: hello there"), answer
chunks = list(client.chat.completions.create(model="chat", messages=hello, stream=True))
assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "You said: hello there", chunks
try:
    client.chat.completions.create(model="gpt-9", messages=hello)
    raise AssertionError("gpt-9 answered")
except openai.NotFoundError as error:
    assert error.code == "model_not_found", error
if importlib.util.find_spec("langchain_openai"):
    from langchain_openai import ChatOpenAI

    answer = ChatOpenAI(model="chat").invoke("hello there")
    assert (answer.content, answer.response_metadata["model_name"]) == ("You said: hello there", model), answer
if importlib.util.find_spec("litellm"):
    # It takes the example's `REQUEST_TIMEOUT=30s` for its own, in seconds.
    os.environ.pop("REQUEST_TIMEOUT")
    import litellm

    answer = litellm.completion(model="openai/chat", messages=hello)
    assert answer.choices[0].message.content == "You said: hello there", answer
print("fine")
