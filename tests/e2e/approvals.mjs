// What the tests of approvals share: a policy that asks, people who answer, and the command.
import {execFile} from 'node:child_process';
import {join} from 'node:path';

import {agentEntry, binary, call, policyOf, until} from './lib.mjs';

export const people = ['lee@acme.example', 'sam@acme.example', 'dana@acme.example'];

// A policy whose one role asks `leads` about what `asks` selects (YAML of rules), beside an allow
// of all else there.
export function askingPolicy(
    agents, {upstream = 'api', selector, within = '1m', group = '', more = '', top = ''} = {}) {
  return policyOf(
      agents,
      `    ask:\n      - {id: big, upstream: ${upstream}, ${selector}, approvers: leads, ` +
          `within: ${within}, because: Leads decide${more}}\n` +
          `    allow:\n      - {id: rest, upstream: ${upstream}}\n`,
      `approvers:\n  leads: {members: [${people.join(', ')}]${group}}\n${top}`);
}

// `reeve approvals …` against this sidecar: {code, out, err}.
export function approvals(sidecar, ...words) {
  return command(sidecar, {}, ...words);
}
export function command(sidecar, env, ...words) {
  return new Promise((done) => {
    execFile(
        binary, ['approvals', ...words, '-c', join(sidecar.folder, 'reeve.yaml')],
        {env: {...process.env, REEVE_ADMIN_TOKEN: sidecar.adminToken, ...env}},
        (error, out, err) => done({code: error ? error.code : 0, out, err}));
  });
}

export function admin(sidecar, method, path, {token = sidecar.adminToken, body} = {}) {
  return call(sidecar.adminPort, method, path, {
    headers: {
      Authorization: `Bearer ${token}`,
      ...(body !== undefined && {'Content-Type': 'application/json'})
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

// The records of approvals, newest first.
export async function listed(sidecar, query = '?all=true') {
  return JSON.parse((await admin(sidecar, 'GET', `/v1/approvals${query}`)).body).approvals;
}
// Waits until `count` questions wait, and returns them.
export async function pending(sidecar, count = 1) {
  return until(async () => {
    const open = (await listed(sidecar, '')).filter((each) => each.state === 'pending');
    return open.length === count && open;
  }, `${count} questions that wait`);
}
export function answer(sidecar, id, verb, person = people[0], why) {
  return admin(
      sidecar, 'POST', `/v1/approvals/${id}/${verb}`, {body: {as: person, ...(why && {why})}});
}
export {agentEntry};
