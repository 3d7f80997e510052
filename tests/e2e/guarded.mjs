// What the tests of guards on HTTP share: a policy with one guard, and an origin that answers what
// it is told.
import {agentEntry, allowAll, assert, policyOf} from './lib.mjs';

export const mail = 'jane.roe@example.com';
export const card = '4111 1111 1111 1111';
export const guards = {
  redacting: 'pii: {patterns: [email, credit-card], fields: ["*.salary"], on: both}',
  denying: 'pii: {patterns: [email, credit-card], on: both, then: deny}',
};
const prices = (on) => `prices:\n  - {upstream: ${on}, http: "* /**", cost: 0.5 USD}\n`;
export const policy = (agent, guard, {mode = '', on = 'api'} = {}) => `${mode}${
    policyOf(
        [agent], `    guards: [pii]\n${allowAll(on)}`,
        `guards:\n  ${guards[guard] ?? guard}\n${prices(on)}`)}`;

// An origin that answers what it is told: `answer` is {status, type, body, headers} or a handler.
export async function start(s, {guard = 'redacting', answer = {}, mode, config = {}} = {}) {
  const said = {answer};
  const origin = await s.origin((request, response) => {
    if (typeof said.answer === 'function') return said.answer(request, response);
    const {status = 200, type = 'application/json', body = '{}', headers = {}} = said.answer;
    response.writeHead(status, {...(type && {'Content-Type': type}), ...headers});
    response.end(body);
  });
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar(
      {policy: policy(jordan, guard, {mode}), upstreams: {api: {http: origin.url()}}, config});
  const call = (method, path, options) =>
      sidecar.call(method, path, {token: jordan.token, ...options});
  return {said, origin, sidecar, token: jordan.token, call};
}

// Nothing that was found may be anywhere in the record.
export function assertUntold(sidecar, ...texts) {
  const record = JSON.stringify(sidecar.audit());
  for (const text of texts) assert.ok(!record.includes(text), `the record tells ${text}`);
}
