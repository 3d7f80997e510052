// What was judged is what is sent (G3): random requests, in random spellings. What reached the
// origin is read again by a strict reader that shares no code with reeve, and must be what the
// record says was judged: method, path, tool, arguments; and what the agent sent: the body. What
// was not allowed must not have reached it. 100,000 requests with --long.
import {createHash, randomBytes} from 'node:crypto';
import http from 'node:http';

import {recorder} from './attack.mjs';
import {agentEntry, assert, long, policyOf, sanitized, scenario, until} from './lib.mjs';

const count = long ? 100_000 : sanitized ? 1000 : 4000;

// Repeatable: the seed is printed.
const seed = process.env.REEVE_TEST_SEED || randomBytes(4).toString('hex');
let state = parseInt(createHash('sha256').update(seed).digest('hex').slice(0, 8), 16);
function random(below) {  // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * below);
}
const pick = (list) => list[random(list.length)];
const times = (most, make) => Array.from({length: random(most + 1)}, make);

const letters = [...'abcXYZ019-._~!$\'()*+,:@=&'];
const escaped = ['%41', '%61', '%2d', '%20', '%C3%A9', '%e2%82%ac', '%25', '%3a', '%24', '%7E'];
const hostile = [
  '..', '.', '%2e%2e', '%2f', '%5c', '%00', '%', '%zz', '%252e', ';x', '\\', '%ff', '%c0%ae', '%0a',
  '', '%3b', '%u002e'
];
const segment = () => random(40) === 0 ?
    pick(hostile) :
    times(6, () => random(5) ? pick(letters) : pick(escaped)).join('') || 'a';
const path = (id) => `/api/${[segment(), ...times(3, segment)].join('/')}/c${id}${
    random(3) ?
        '' :
        `?${times(4, () => `${pick(letters)}=${pick([...letters, ...escaped])}`).join('&')}`}`;

const strings = ['', 'a', 'é', '€', '😀', '"', '\\', '\n', '\u0001', '</x>', '\u2028', 'null', '0'];
const value = (depth) => {
  const kind = random(depth > 2 ? 5 : 7);
  if (kind === 0) return pick([true, false, null]);
  if (kind === 1) return random(2 ** 31) - 2 ** 30;
  if (kind === 2) return pick([0, 1.5, -0.25, 1e21, 1e-7, 123456.789, 5e-324, 1e300]);
  if (kind <= 4) return times(3, () => pick(strings)).join('');
  if (kind === 5) return times(3, () => value(depth + 1));
  return Object.fromEntries(times(4, () => [`${pick(strings)}${random(100)}`, value(depth + 1)]));
};
// JSON in some spelling: spaces, escapes, members in any order.
function spell(one) {
  const space = () => pick(['', '', '', ' ', '\n', '\t ']);
  if (Array.isArray(one)) return `[${space()}${one.map(spell).join(`${space()},${space()}`)}]`;
  if (one && typeof one === 'object') {
    const members = Object.entries(one).map(
        ([key, each]) => `${space()}${spell(key)}${space()}:${space()}${spell(each)}`);
    return `{${members.join(',')}${space()}}`;
  }
  if (typeof one === 'number' && Number.isInteger(one) && Math.abs(one) < 1e15)
    return random(4) ? String(one) : `${one}.0`;
  const text = JSON.stringify(one);
  return typeof one === 'string' && !random(3) ?
      text.replace(
          /[a-z0-9](?=[^\\]*$)/gi, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`) :
      text;
}
// RFC 8785.
const canonical = (one) => Array.isArray(one) ?
    `[${one.map(canonical).join(',')}]` :
    one && typeof one === 'object' ?
    `{${
        Object.keys(one)
            .sort()
            .map((key) => `${JSON.stringify(key)}:${canonical(one[key])}`)
            .join(',')}}` :
    JSON.stringify(one);
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

function makeCall(id) {
  if (random(2)) {
    const method = pick(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'PROPFIND']);
    const body =
        method === 'GET' || method === 'HEAD' ? '' : times(40, () => pick(strings)).join('');
    return {id, method, path: path(id), body, headers: {}};
  }
  const tool = pick(['pay.', 'read.', 'secret.', 'Pay.', 'é.']) + `${random(50)}.c${id}`;
  const message = {jsonrpc: '2.0', id: random(1000), method: 'tools/call', params: {name: tool}};
  if (random(8))
    message.params.arguments = Object.fromEntries(times(4, () => [`k${random(9)}`, value(0)]));
  let body = spell(message);
  if (!random(30)) body = body.replace('"params"', '"params":{},"params"');  // twice
  if (!random(30)) body = body.slice(0, -random(5));
  return {
    id,
    method: 'POST',
    path: '/tools',
    body,
    headers: {'Content-Type': 'application/json', 'Accept': 'application/json, text/event-stream'}
  };
}

function send({port, token, agent}, {id, method, path, body, headers}) {
  return new Promise((resolve) => {
    const request = http.request(
        {
          host: '127.0.0.1',
          port,
          agent,
          method,
          path,
          headers: {...headers, 'Authorization': `Bearer ${token}`, 'X-Case': id}
        },
        (response) => {
          response.resume();
          response.on('end', () => resolve({status: response.statusCode}));
          response.on('error', () => resolve({}));
        });
    request.on('error', () => resolve({}));
    if (body && random(2)) {
      const bytes = Buffer.from(body);
      const cut = random(bytes.length);
      request.setHeader('Transfer-Encoding', 'chunked');
      request.write(bytes.subarray(0, cut));
      request.end(bytes.subarray(cut));
    } else {
      if (body) request.setHeader('Content-Length', Buffer.byteLength(body));
      request.end(body);
    }
  });
}

// Path and tool end with the number of their case.
const caseOf = (target) => /c(\d+)$/.exec(target)?.[1];

// What differs between a call as it reached the origin and its decision in the record.
function difference(sent, got, decision, hosts) {
  const differs = (what, one, other) => one === other ?
      null :
      `${what}: ${JSON.stringify(one)} at the origin, ${JSON.stringify(other)}`;
  const host = got.fields.filter(([name]) => name === 'host').map(([, each]) => each).join();
  const body = Buffer.from(got.body, 'latin1').toString();
  const base = differs('host', host, hosts[decision.upstream]) ?? differs('body', body, sent.body);
  if (base) return base;
  if (decision.protocol === 'http') {
    const target = got.target.split('?')[0].replace('/base', '');
    return differs('method', got.method, decision.action) ??
        differs('path', decodeURIComponent(target), decision.target) ??
        differs('query', got.target.split('?')[1], sent.path.split('?')[1]);
  }
  const {method, params} = JSON.parse(body);
  return differs('target', got.target, '/mcp') ?? differs('method', method, decision.action) ??
      differs('tool', params.name, decision.target) ??
      differs(
             'arguments', 'arguments' in params ? sha256(canonical(params.arguments)) : undefined,
             decision.args_sha256);
}

scenario(`${count} random requests: what was judged is what is sent`, async (s) => {
  console.log(`# REEVE_TEST_SEED=${seed}`);
  const tools = (text) => `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${
      text.length}\r\n\r\n${text}`;
  const origin = await recorder(
      s,
      (target) => target.startsWith('/mcp') ? tools('{"jsonrpc":"2.0","id":1,"result":{}}') : null);
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], `    allow:
      - {upstream: api, http: "GET,POST,PUT,HEAD,PROPFIND /**"}
      - {upstream: api, http: "DELETE /a*/**"}
      - {upstream: tools, tools: ["pay.*", "read.*", "é.*"]}
    deny:
      - {upstream: api, http: "* /*/X*/**"}
      - {upstream: tools, tools: "pay.1*", when: {args.k1: {present: true}}}
`),
    upstreams: {api: {http: origin.url('/base')}, tools: {mcp: origin.url('/mcp')}}
  });
  const agent = new http.Agent({keepAlive: true, maxSockets: 16});
  s.defer(() => agent.destroy());
  const sent = new Map();
  const to = {port: sidecar.port, token: jordan.token, agent};
  let next = 0;
  await Promise.all(Array.from({length: 16}, async () => {
    while (next < count) {
      const one = makeCall(String(++next));
      sent.set(one.id, {...one, ...await send(to, one)});
    }
  }));
  await until(async () => {
    agent.destroy();
    return await sidecar.metric('reeve_connections') === 0;
  }, 'quiet');
  const decisions =
      new Map(sidecar.audit({kind: 'decision'}).map((line) => [caseOf(line.target), line]));
  const {requests, violations, partial} = origin.seen();
  assert.deepEqual(violations, []);
  assert.deepEqual(partial, []);
  const differences = [];
  const reached = new Set();
  const host = `127.0.0.1:${origin.port}`;
  for (const got of requests) {
    const id = got.fields.find(([name]) => name === 'x-case')?.[1];
    const one = sent.get(id);
    const decision = decisions.get(id);
    const problem = !one              ? 'nobody sent it' :
        reached.has(id)               ? 'it came twice' :
        !decision                     ? 'it is not in the record' :
        decision.decision !== 'allow' ? `it was ${decision.decision}` :
                                        difference(one, got, decision, {api: host, tools: host});
    reached.add(id);
    if (problem) differences.push(`${id}: ${problem} (${JSON.stringify(one)})`);
  }
  const allowed = [...decisions.values()].filter(({decision}) => decision === 'allow').length;
  console.log(`# ${requests.length} of ${count} reached the origin`);
  assert.deepEqual(differences.slice(0, 20), [], `${differences.length} differences`);
  assert.equal(requests.length, allowed);
  // Both ways are well trodden.
  assert.ok(allowed > count / 3 && allowed < count * 0.9, `${allowed} of ${count}`);
});
