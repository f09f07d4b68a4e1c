const server = require('@openfeature/server-sdk');
const { OFREPProvider } = require('@openfeature/ofrep-provider');
const web = require('@openfeature/web-sdk');
const { OFREPWebProvider } = require('@openfeature/ofrep-web-provider');
const baseUrl = process.argv[1];
const silent = { error() {}, warn() {}, info() {}, debug() {} };
const texts = ['a/b c', 'off', 'none', 'broken', 'gone'];
const row = (found) => [found.value, found.variant ?? null, found.reason, found.errorCode ?? null];
const claims = (plan) => ({ targetingKey: 'ana', environment: 'dev', plan });

async function ofServer() {
  await server.OpenFeature.setLogger(silent).setProviderAndWait(new OFREPProvider({ baseUrl }));
  const client = server.OpenFeature.getClient();
  const answers = {};
  answers.truth = row(await client.getBooleanDetails('truth', false));
  answers.whole = row(await client.getNumberDetails('whole', 1));
  answers.float = row(await client.getNumberDetails('float', 1));
  answers.object = row(await client.getObjectDetails('object', {}));
  for (const key of texts) answers[key] = row(await client.getStringDetails(key, 'default'));
  for (const plan of ['free', 'pro']) {
    answers[`plan ${plan}`] = row(await client.getStringDetails('plan', 'default', claims(plan)));
  }
  return answers;
}

async function ofWeb() {
  const { OpenFeature } = web;
  OpenFeature.setLogger(silent);
  await OpenFeature.setContext(claims('free'));
  await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl, disableVisibilityRefresh: true }, silent));
  const client = OpenFeature.getClient();
  const answers = {};
  answers.truth = row(client.getBooleanDetails('truth', false));
  answers.whole = row(client.getNumberDetails('whole', 1));
  answers.float = row(client.getNumberDetails('float', 1));
  answers.object = row(client.getObjectDetails('object', {}));
  for (const key of texts) answers[key] = row(client.getStringDetails(key, 'default'));
  answers['plan free'] = row(client.getStringDetails('plan', 'default'));
  // The targeting key stays the same, so the client sends the validator of the answer before.
  await OpenFeature.setContext(claims('pro'));
  answers['plan pro'] = row(client.getStringDetails('plan', 'default'));
  return answers;
}

(async () => {
  const answers = { server: await ofServer(), web: await ofWeb() };
  process.stdout.write(JSON.stringify(answers), () => process.exit(0));
})();
