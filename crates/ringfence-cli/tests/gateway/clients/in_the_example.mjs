// The `openai` package for Node inside a run of the example: it asks for `chat`, and gets the environment's model.
import assert from "node:assert";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { OpenAI } = createRequire(pathToFileURL(`${process.env.CLIENTS}/node/`))("openai");
const client = new OpenAI();
const messages = [{ role: "user", content: "hello there" }];
const answer = await client.chat.completions.create({ model: "chat", messages });
assert.equal(answer.model, process.env.EXPECTED_MODEL);
assert.equal(answer.choices[0].message.content, "You said: hello there");
let text = "";
for await (const chunk of await client.chat.completions.create({ model: "chat", messages, stream: true })) {
  text += chunk.choices[0]?.delta?.content ?? "";
}
assert.equal(text, "You said: hello there");
await assert.rejects(client.chat.completions.create({ model: "gpt-9", messages }), { code: "model_not_found" });
console.log("fine");
