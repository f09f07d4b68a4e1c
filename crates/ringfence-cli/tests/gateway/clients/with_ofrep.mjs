// OpenFeature's OFREP providers for servers and for the web.
import assert from "node:assert";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.env.CLIENTS}/node/`));
const production = process.env.ENVIRONMENT === "prod";
// Inside a run these two variables are all that a program needs to know.
const header = process.env.OFREP_HEADERS ?? `Authorization=Bearer ${process.env.OPENAI_API_KEY}`;
const options = {
  baseUrl: process.env.OFREP_ENDPOINT ?? process.env.OPENAI_BASE_URL.replace(/\/v1$/, ""),
  headers: [header.split("=", 2)],
};
const pro = { targetingKey: "ana", plan: "pro", environment: "prod" };
const free = { targetingKey: "ana", plan: "free" };

const server = require("@openfeature/server-sdk").OpenFeature;
const { OFREPProvider } = require("@openfeature/ofrep-provider");
await server.setProviderAndWait(new OFREPProvider(options));
const client = server.getClient();
assert.equal(await client.getBooleanValue("rate_limiting", !production), production);
assert.equal(await client.getNumberValue("timeout", 0), production ? 5 : 30);
assert.equal(await client.getStringValue("a/b c", ""), "slash");
assert.equal(await client.getStringValue("model", "", pro), production ? "large" : "small");
assert.equal(await client.getStringValue("none", "own default"), "own default");

const web = require("@openfeature/web-sdk").OpenFeature;
const { OFREPWebProvider } = require("@openfeature/ofrep-web-provider");
await web.setContext(free);
await web.setProviderAndWait(new OFREPWebProvider({ ...options, pollInterval: 0 }));
const page = web.getClient();
assert.equal(page.getStringValue("model", ""), "small");
// It sends the ETag of the answer to the other context.
await web.setContext(pro);
assert.equal(page.getStringValue("model", ""), production ? "large" : "small");
assert.equal(page.getNumberValue("page_size", 0), production ? 100 : 20);
console.log("fine");
process.exit(0);
