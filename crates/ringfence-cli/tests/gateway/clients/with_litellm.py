"""The `litellm` SDK: completion, stream, embedding, and its own kinds of errors."""

import os

import litellm

litellm.suppress_debug_info = True
base = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}
hello = [{"role": "user", "content": "hello"}]
answer = litellm.completion(model="openai/chat", messages=hello, max_tokens=20, **base)
assert answer.choices[0].message.content == "You said: hello", answer
pieces = litellm.completion(model="openai/chat", messages=hello, max_tokens=20, stream=True, **base)
assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == "You said: hello"
assert len(litellm.embedding(model="openai/embed", input=["a"], **base).data) == 1
try:
    litellm.completion(model="openai/gpt-9", messages=hello, max_retries=0, **base)
    raise AssertionError("an unknown model")
except (litellm.NotFoundError, litellm.RateLimitError) as error:
    # In prod the limit of three requests is reached.
    assert isinstance(error, litellm.NotFoundError) or os.environ["ENVIRONMENT"] == "prod", error
try:
    litellm.completion(model="openai/chat", messages=hello, api_base=base["api_base"], api_key=os.environ["OTHER_TOKEN"])
    raise AssertionError("a token of another environment")
except litellm.AuthenticationError as error:
    assert "belongs to `staging`" in str(error), error
print("fine")
