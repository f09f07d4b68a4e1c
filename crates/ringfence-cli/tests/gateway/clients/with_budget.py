"""A budget that is used up: told once, and not asked for again. The word says which library asks."""

import os
import sys
import time

hello = [{"role": "user", "content": "hello"}]


def with_openai():
    import openai

    client = openai.OpenAI()
    return lambda: client.chat.completions.create(model="chat", messages=hello, max_tokens=100)


def with_langchain():
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model="chat", max_tokens=100)
    return lambda: chat.invoke("hello")


def with_litellm():
    import litellm

    litellm.suppress_debug_info = True
    base = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}
    return lambda: litellm.completion(model="openai/chat", messages=hello, max_tokens=100, **base)


ask = {"openai": with_openai, "langchain": with_langchain, "litellm": with_litellm}[sys.argv[1]]()
for turn in range(100):
    began = time.monotonic()
    try:
        ask()
    except Exception as error:
        assert "RateLimitError" in [kind.__name__ for kind in type(error).__mro__], error
        assert "insufficient_quota" in str(error) or "is used up" in str(error), error
        print("fine", turn, time.monotonic() - began)
        break
else:
    raise AssertionError("the budget was not reached")
