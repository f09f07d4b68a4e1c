"""`langchain-openai`: invoke, stream, structured output, embeddings."""

import os

from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel


class Person(BaseModel):
    name: str
    age: int


chat = ChatOpenAI(model="chat", max_tokens=50)
assert chat.invoke("hello").content == "You said: hello"
assert "".join(str(piece.content) for piece in chat.stream("hello")) == "You said: hello"
vectors = OpenAIEmbeddings(model="embed", check_embedding_ctx_length=False)
assert len(vectors.embed_documents(["a", "b"])) == (2)
if os.environ["ENVIRONMENT"] == "dev":
    assert chat.with_structured_output(Person).invoke("who") == Person(name="mock", age=0)
    bound = chat.bind_tools([Person]).invoke("who")
    assert bound.tool_calls[0]["name"] == "Person", bound
print("fine")
