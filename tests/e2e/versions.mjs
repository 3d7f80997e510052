// Two versions of a policy and clients that can tell which one answered: version A allows /a and
// denies /b, version B the reverse, and both say so in their rules. An answer of one and a rule of
// the other would show, as would a hash that is neither's.
import http from 'node:http';

import {agentEntry, call, until} from './lib.mjs';

// What each file of a version says; `...` shows when one is cut short.
const allows = (version) => `  allows:
    allow: {id: ${version}-allow, upstream: api, http: "GET /${version.toLowerCase()}/**"}\n`;
const denies = (version) => `  denies:
    deny:
      id: ${version}-deny
      upstream: api
      http: "GET /${version === 'A' ? 'b' : 'a'}/**"
      because: version ${version}\n`;

const agent = agentEntry('jordan', {roles: 'allows, denies'});
const agents = `agents:\n${agent.yaml}`;
export const oneFile = (version) => `${agents}roles:\n${allows(version)}${denies(version)}...\n`;
export const folderOf = (version) => ({
  'agents.yaml': `${agents}...\n`,
  'allows.yaml': `roles:\n${allows(version)}...\n`,
  'denies.yaml': `roles:\n${denies(version)}...\n`
});

// The version that gave it; a complaint where there is none.
function versionOf(path, answer) {
  const allowed = path.startsWith('/api/a/') ? 'A' : 'B';
  if (answer.status === 200) return allowed;
  const denied = allowed === 'A' ? 'B' : 'A';
  const {because, rule} = answer.json ?? {};
  if (answer.status === 403 && because === `version ${denied}` && rule === `${denied}-deny`)
    return denied;
  return `${path}: ${answer.status} ${answer.body}`;
}

let calls = 0;
export async function ask(sidecar, options = {}) {
  const path = `/api/${'ab'[calls % 2]}/${++calls}`;
  return versionOf(path, await sidecar.call('GET', path, {token: agent.token, ...options}));
}

export const inForce = (sidecar, version, ms) => until(async () => {
  // Of every thread: connections are spread over them.
  const answers = await Promise.all(Array.from({length: 8}, () => ask(sidecar)));
  return answers.every((each) => each === version);
}, `version ${version} in force`, ms);

export const hashInForce = async (sidecar) =>
    (await call(sidecar.adminPort, 'GET', '/v1/policy', {token: sidecar.adminToken})).json.policy;

// Calls without a pause until told to stop, on a connection that stays; counts their versions.
export function client(sidecar, seen) {
  const connection = new http.Agent({keepAlive: true, maxSockets: 1});
  let stopped = false;
  const run = async () => {
    while (!stopped) {
      const version = await ask(sidecar, {agent: connection});
      seen.set(version, (seen.get(version) ?? 0) + 1);
    }
    connection.destroy();
  };
  const ended = run();
  ended.catch(() => {});  // a scenario that fails ends its sidecar under the clients
  return () => {
    stopped = true;
    return ended;
  };
}
