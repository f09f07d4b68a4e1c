"""`llama-index`: it takes no name that is not a real model's, so that the alias is one."""

import os

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAI

llm = OpenAI(model="gpt-4o-mini", max_tokens=50, max_retries=0, api_base=os.environ["OPENAI_BASE_URL"])
hello = [ChatMessage(role="user", content="hello")]
assert llm.chat(hello).message.content == "You said: hello"
assert "".join(piece.delta or "" for piece in llm.stream_chat(hello)) == "You said: hello"
assert llm.complete("hello").text == "You said: hello"
print("fine")
