// Runs tables of raw requests against a sidecar and judges them by what reaches the origin behind
// it: a strict reader (strict.mjs) reads every byte that came there. A case is {name, send,
// expect}: `send(kit)` gives the bytes, or a list of them to be sent one after the other.
//
//   reject   nothing reaches the origin, and the client is refused or cut off. `partial`: a head
//   may
//            have been passed on, if its request was then left unfinished and cut off.
//   clean    rejected, or passed on as `count` well-formed requests with one of `bodies`.
//   accept   passed on intact and answered with 200.
//
// Whatever the case, the request that is hidden in it (kit.smuggled) never runs, the agent's token
// and planted fields never arrive, the route is never left, and a bystander gets its own answer.
import net from 'node:net';

import {agentEntry, allowAll, assert, policyOf, until} from './lib.mjs';
import {readRequests, readResponses} from './strict.mjs';

export const reject = (more = {}) => ({kind: 'reject', count: 0, ...more});
export const clean = (...bodies) => ({kind: 'clean', count: 1, bodies});
export const accept = (...bodies) => ({kind: 'accept', count: 1, bodies});
export const credential = 'Bearer upstream-credential-0123456789';

// The paths that some backend may take these bytes for.
export function readings(path) {
  const found = new Set();
  const queue = [path];
  const unescape = (text) =>
      text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  while (queue.length && found.size < 400) {
    const one = queue.pop();
    if (found.has(one)) continue;
    found.add(one);
    queue.push(
        unescape(one), one.replaceAll('\\', '/'), one.replace(/;[^/]*/g, ''),
        one.replace(/\/\/+/g, '/'), one.split(/[\0?#]/)[0], one.replace(/[\0-\x20]/g, ''),
        one.replace(/\xc0\xae|\xe0\x80\xae|\xef\xbc\x8e|%u(?:002e|ff0e)/gi, '.'),
        one.replace(/\xc0\xaf|\xe0\x80\xaf|\xef\xbc\x8f|%u(?:002f|ff0f|2215)/gi, '/'));
  }
  return found;
}
export function leaves(target, root) {
  for (const reading of readings(target.split(/[?#]/)[0])) {
    const out = [];
    for (const segment of reading.split('/')) {
      if (segment === '..')
        out.pop();
      else if (segment !== '.' && segment !== '')
        out.push(segment);
    }
    const plain = `/${out.join('/')}`;
    if (plain !== root && !plain.startsWith(`${root}/`)) return plain;
  }
  return null;
}

// An origin that keeps every byte, and answers each whole request with its own target. `answer`
// gives other bytes for a target (or null), which are sent as they are.
export async function recorder(s, answer = () => null) {
  const connections = [];
  const server = net.createServer({allowHalfOpen: true, noDelay: true}, (socket) => {
    const connection = {rest: '', messages: [], closed: false, socket};
    connections.push(connection);
    let answered = 0;
    socket.on('error', () => {});
    socket.on('close', () => {
      connection.closed = true;
    });
    socket.on('end', () => socket.end());
    socket.on('data', async (data) => {
      if (connection.violation) return;
      connection.rest += data.toString('latin1');
      const {messages, end, violation} = readRequests(connection.rest);
      connection.rest = connection.rest.slice(end);
      connection.violation = violation;
      for (const message of messages) {
        const {target, method} = message;
        connection.messages.push(message);
        const own = answer(target, socket);
        const body = JSON.stringify({answer: ++answered, target});
        if (own === null)
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${
              method === 'HEAD' ? '' : body}`);
        else if (typeof own === 'string')
          socket.write(own, 'latin1');
      }
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  s.defer(async () => {
    for (const {socket} of connections) socket.destroy();
    await new Promise((done) => server.close(done));
  });
  const {port} = server.address();
  // All that was read: requests, violations, and those left open.
  const seen = () => {
    const all = {requests: [], violations: [], partial: []};
    for (const {rest, messages, violation, closed} of connections) {
      all.requests.push(...messages);
      if (violation) all.violations.push(violation);
      const {partial} = violation ? {} : readRequests(rest);
      if (partial) all.partial.push({...partial, closed});
    }
    return all;
  };
  return {port, seen, connections, url: (path = '') => `http://127.0.0.1:${port}${path}`};
}

// Sends `parts` and reads until the peer closes, `want` answers have come, or `patience` is over:
// {statuses, finals, violation, closed, text}.
export function exchange(
    port, parts, {want = 1, methods = [], patience = 3000, half = false} = {}) {
  return new Promise((resolve) => {
    let text = '';
    let closed = false;
    const socket = net.connect({port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true});
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      const read = readResponses(text, {methods, ended: closed});
      const finals = (read.messages).filter(({status}) => status >= 200);
      resolve({finals, statuses: finals.map(({status}) => status), closed, text, ...read});
    };
    const timer = setTimeout(finish, patience);
    const enough = () => !half &&
        readResponses(text, {methods}).messages.filter(({status}) => status >= 200).length >= want;
    socket.on('data', (data) => {
      text += data.toString('latin1');
      if (enough()) finish();
    });
    socket.on('error', () => {});
    const over = () => {
      if (closed) return;
      closed = true;
      finish();
    };
    socket.on('end', over);
    socket.on('close', over);
    const send = async () => {
      for (const part of [parts].flat()) {
        if (closed) return;
        if (typeof part === 'number') {
          await new Promise((done) => setTimeout(done, part));
        } else if (!socket.write(part, 'latin1')) {
          await Promise.race(['drain', 'close'].map((e) => new Promise((done) => {
                                                      socket.once(e, done);
                                                    })));
        }
      }
      if (half) socket.end();
    };
    socket.on('connect', send);
  });
}

function kitOf(number, token, port) {
  const id = String(number).padStart(4, '0');
  const auth = `Authorization: Bearer ${token}\r\n`;
  const top = `Host: 127.0.0.1:${port}\r\n${auth}`;
  const target = `/api/a?case=${id}`;
  return {
    id,
    auth,
    top,
    target,
    port,
    host: `127.0.0.1:${port}`,
    path: '/api',
    smuggled: `GET /api/smuggled-${id} HTTP/1.1\r\n${top}\r\n`,
    get: `GET ${target} HTTP/1.1\r\n${top}`,
    post: `POST ${target} HTTP/1.1\r\n${top}`,
    chunked: `POST ${target} HTTP/1.1\r\n${top}Transfer-Encoding: chunked\r\n\r\n`
  };
}

// A sidecar with one route to a recording origin, and a credential that must arrive with each call.
export async function victim(s, {config = {}, answer, upstream = {}} = {}) {
  const origin = await recorder(s, answer);
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allowAll('api')),
    upstreams: {
      api: {
        http: origin.url('/base'),
        credential: {header: 'Authorization', value: credential},
        ...upstream
      }
    },
    config
  });
  return {origin, sidecar, token: jordan.token};
}

let bystanders = 0;
export async function bystander({sidecar, token}) {
  const own = `bystander-${++bystanders}`;
  const {finals, text} = await exchange(
      sidecar.port,
      `GET /api/a?${own} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      {patience: 20_000});
  if (finals[0]?.status !== 200) return `a bystander got ${JSON.stringify(text.slice(0, 80))}`;
  return finals[0].body.includes(`${own}"`) ? null : 'a bystander got another client\'s answer';
}

const refusal = (status) => (status >= 300 && status <= 499) || status === 501 || status === 505;

function judgeClient({expect}, answer) {
  if (answer.violation) return `a malformed answer: ${answer.violation}`;
  const [status] = answer.statuses;
  if (expect.kind === 'accept') {
    const good = answer.statuses.filter((each) => each === 200).length;
    return good === expect.count ? null : `answered ${JSON.stringify(answer.text.slice(0, 300))}`;
  }
  if (expect.status && status !== expect.status) return `answered ${status}, not ${expect.status}`;
  if (status === undefined) return answer.closed ? null : 'left open without an answer';
  if (expect.kind === 'clean' && status === 200) return null;
  return refusal(status) ? null : `answered ${status}`;
}

function judgeOrigin({expect, check}, kit, {requests, partial}) {
  const own = ({target}) => target.includes(`case=${kit.id}`);
  const mine = requests.filter(own);
  if (requests.some(({target}) => target.includes(`smuggled-${kit.id}`)))
    return 'the request hidden in it reached the origin';
  const left = partial.filter(own);
  if (left.some(({closed}) => !closed)) return 'an unfinished request was left open upstream';
  if (expect.kind === 'reject' && mine.length)
    return `passed on as ${mine[0].method} ${mine[0].target}`;
  if (expect.kind === 'reject' && left.length && !expect.partial) return 'its head was passed on';
  if (mine.length > expect.count) return `passed on ${mine.length} times`;
  if (expect.kind === 'accept' && mine.length < expect.count)
    return `passed on ${mine.length} times`;
  for (const request of mine) {
    if (expect.bodies?.length && !expect.bodies.includes(request.body))
      return `its body became ${JSON.stringify(request.body.slice(0, 60))}`;
    const problem = check?.(request, kit);
    if (problem) return problem;
  }
  return null;
}

// What holds for whatever reached the origin.
function objections({requests, violations, partial}, token) {
  const found = violations.map((text) => `the origin was sent ${text}`);
  for (const {method, target, fields, trailers} of [...requests, ...partial]) {
    if (!target) continue;
    const head = JSON.stringify([target, fields, trailers]);
    if (head.includes(token)) found.push(`the agent's token reached the origin: ${head}`);
    if (/planted/i.test(head)) found.push(`a planted field reached the origin: ${head}`);
    const out = leaves(target, '/base');
    if (out) found.push(`${method} ${target} can be read as ${out}`);
    const values = fields.filter(([name]) => name === 'authorization').map(([, value]) => value);
    if (values.length !== 1 || values[0] !== credential)
      found.push(`${target} came with Authorization ${JSON.stringify(values)}`);
    if (!/case=\d{4}|bystander-/.test(target)) found.push(`nobody sent ${method} ${target}`);
  }
  return found;
}

// The path as the record names it: decoded, its first KiB.
function pathOf(target) {
  const path = target.split('?')[0].slice('/base'.length);
  let decoded = path;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    // No UTF-8: as it stands.
  }
  return Buffer.from(decoded).subarray(0, 1024).toString();
}

// The origin's own list beside the record (G29): what reached it has a decision and an outcome, and
// what the record says was answered did reach it.
async function joined(sidecar, {requests, partial}) {
  const found = [];
  const both = () => {
    const outcomes = new Map();
    for (const line of sidecar.audit({kind: 'outcome'}))
      outcomes.set(line.call, [...(outcomes.get(line.call) ?? []), line]);
    const decisions = sidecar.audit({kind: 'decision'}).filter(({call}) => call);
    return {decisions, outcomes};
  };
  const {decisions, outcomes} = await until(() => {
    const lines = both();
    return lines.decisions.every(({call}) => lines.outcomes.has(call)) && lines;
  }, 'an outcome for each decision');
  const calls = new Set(decisions.map(({call}) => call));
  if (calls.size !== decisions.length) found.push('a call has two decisions');
  for (const [call, lines] of outcomes) {
    if (lines.length !== 1) found.push(`call ${call} has ${lines.length} outcomes`);
    if (!calls.has(call)) found.push(`call ${call} has an outcome and no decision`);
  }
  const seen = new Map();
  const recorded = new Map();
  const count = (map, key, by = 1) => map.set(key, (map.get(key) ?? 0) + by);
  for (const {method, target} of [...requests, ...partial])
    if (target) count(seen, `${method} ${pathOf(target)}`);
  const answered = new Map();
  for (const {call, action, target, decision} of decisions) {
    if (decision !== 'allow') continue;
    const [{status, error, tries = 1}] = outcomes.get(call);
    count(recorded, `${action} ${target}`, tries);
    if (status === 200 && !error) count(answered, `${action} ${target}`);
  }
  for (const [key, times] of seen)
    if (times > (recorded.get(key) ?? 0))
      found.push(`${key}: ${times} times, and not in the record`);
  for (const [key, times] of answered)
    if (times > (seen.get(key) ?? 0)) found.push(`${key}: in the record, and not at the origin`);
  return found;
}

// Runs all cases, some at a time, and fails with the list of what went wrong.
export async function attack(s, cases, {at_once = 8, ...options} = {}) {
  const scene = await victim(s, options);
  const {origin, sidecar, token} = scene;
  const problems = [];
  const kits = cases.map((_, i) => kitOf(i + 1, token, sidecar.port));
  const names = new Set(cases.map(({name}) => name));
  assert.equal(names.size, cases.length, 'each case has a name of its own');
  const run = async (index) => {
    const test = cases[index];
    const answer = await exchange(sidecar.port, test.send(kits[index]), {
      want: test.want ?? Math.max(1, test.expect.count),
      methods: test.methods ?? [],
      half: test.half ?? false,
      patience: test.patience ?? 15_000
    });
    const problem = judgeClient(test, answer);
    if (problem) problems.push(`${test.name}: ${problem}`);
    const harmed = await bystander(scene);
    if (harmed) problems.push(`${test.name}: ${harmed}`);
  };
  let next = 0;
  await Promise.all(Array.from({length: at_once}, async () => {
    while (next < cases.length) await run(next++);
  }));
  await until(
      async () => await sidecar.metric('reeve_connections') === 0, 'an end of all connections');
  await until(() => origin.seen().partial.every(({closed}) => closed), 'an end of what was cut off')
      .catch(() => {});
  const seen = origin.seen();
  cases.forEach((test, i) => {
    const problem = judgeOrigin(test, kits[i], seen);
    if (problem) problems.push(`${test.name}: ${problem}`);
  });
  problems.push(...objections(seen, token), ...await joined(sidecar, seen));
  assert.deepEqual(problems, [], `${problems.length} problems`);
  assert.ok(seen.requests.length >= cases.length, 'the bystanders\' calls were seen');
  return {...scene, seen};
}
