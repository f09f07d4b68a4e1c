"""The `openai` package for Python against a real embedding model: in base64, as lists, and in token ids. Three requests, as prod allows."""

import openai

client = openai.OpenAI(max_retries=0)
texts = ["how do I get my money back?", "refunds are paid within a week", "the office is closed on Sundays"]
# The package asks for base64 by itself, and decodes it.
packed = [row.embedding for row in client.embeddings.create(model="embed", input=texts).data]
plain = [row.embedding for row in client.embeddings.create(model="embed", input=texts, encoding_format="float").data]
assert [len(row) for row in packed] == [384] * 3, [len(row) for row in packed]
for one, other in zip(packed, plain):
    assert max(abs(a - b) for a, b in zip(one, other)) < 1e-6
question, refund, office = plain
likeness = lambda one, other: sum(a * b for a, b in zip(one, other))
assert likeness(question, refund) > likeness(question, office) + 0.01, (likeness(question, refund), likeness(question, office))
# This server takes text alone, and its refusal arrives as it is.
try:
    client.embeddings.create(model="embed", input=[[1, 2, 3]])
except openai.BadRequestError as error:
    assert "must contain strings" in str(error), error
else:
    raise AssertionError("token ids were taken for text")
print("fine", openai.__version__)
