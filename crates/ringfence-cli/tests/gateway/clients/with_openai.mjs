// The `openai` package for Node: chat, streams, embeddings, errors.
import assert from "node:assert";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.env.CLIENTS}/node/`));
const { OpenAI } = require("openai");
const client = new OpenAI();
const messages = [{ role: "user", content: "hello" }];
const answer = await client.chat.completions.create({ model: "chat", messages, max_tokens: 20 });
assert.equal(answer.choices[0].message.content, "You said: hello");
assert.equal(answer.model, process.env.EXPECTED_MODEL);
let text = "";
for await (const chunk of await client.chat.completions.create({ model: "chat", messages, stream: true, max_tokens: 20 })) {
  text += chunk.choices[0].delta.content ?? "";
}
assert.equal(text, "You said: hello");
const vectors = await client.embeddings.create({ model: "embed", input: ["a"] });
assert.equal(vectors.data[0].embedding.length, 8);
const stranger = new OpenAI({ apiKey: process.env.OTHER_TOKEN });
await assert.rejects(stranger.models.list(), (error) => error.status === 401 && error.code === "wrong_environment");
if (process.env.ENVIRONMENT === "dev") {
  await assert.rejects(client.chat.completions.create({ model: "gpt-9", messages }), (error) => error.code === "model_not_found");
  const response = await client.responses.create({ model: "chat", input: "x" });
  assert.equal(response.output_text, "You said: x");
} else {
  await assert.rejects(client.embeddings.create({ model: "embed", input: "a" }, { maxRetries: 0 }), (error) => error.status === 429);
}
console.log("fine");
