const { FlagdCore } = require('@openfeature/flagd-core');
const silent = { error() {}, warn() {}, info() {}, debug() {} };
const question = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const core = new FlagdCore(undefined, silent);
core.setConfigurations(question.flags);
const answer = (key, caller) => {
  try {
    const found = core.resolveStringEvaluation(key, 'default', caller, silent);
    return found.errorCode || found.reason === 'ERROR' ? 'ERROR' : `${found.variant ?? ''} ${found.reason}`;
  } catch {
    return 'ERROR';
  }
};
process.stdout.write(JSON.stringify(question.callers.map((caller) => question.keys.map((key) => answer(key, caller)))));
