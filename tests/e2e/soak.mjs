// Everything at once, for a while: plain calls, MCP, events, uploads, slow readers, tunnels, agents
// that break off, stall or half-close; a new policy every second, now and then a bad one; an
// upstream that is killed and comes back every three seconds.
//
//   soak.mjs [--minutes N] [--rate CALLS_PER_SECOND] [--threads N] [--rotate SIZE] [--keep]
//
// Afterwards: every call that reached an upstream has one decision and one outcome in the record,
// and every call that the record says was answered reached one; the chain is whole; descriptors and
// connections are what they were; memory is flat in the second half; every call ended. Prints a
// summary line and leaves with 0, or with what was wrong and 1.
import {createHash} from 'node:crypto';
import {createReadStream, readdirSync, readFileSync} from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import {basename, dirname} from 'node:path';
import {createInterface} from 'node:readline';
import {parseArgs} from 'node:util';

import {agentEntry, call, policyOf, sanitized, Scenario, until} from './lib.mjs';
import {kinds} from './soak_load.mjs';

const {values: args} = parseArgs({
  options: {
    minutes: {type: 'string', default: '10'},
    rate: {type: 'string', default: '200'},
    threads: {type: 'string', default: '2'},
    rotate: {type: 'string', default: '20MB'},
    keep: {type: 'boolean', default: false}
  }
});
const duration = Number(args.minutes) * 60_000;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const problems = [];
const problem = (text) => {
  if (problems.length < 50) problems.push(text);
};

// What the upstreams were asked for, by the target as the record names it.
class Upstream {
  seen = new Map();
  sockets = new Set();
  restarts = 0;
  async listen(port = 0) {
    this.server = http.createServer((request, response) => this.serve(request, response));
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise((done) => this.server.listen(port, '127.0.0.1', done));
    this.port = this.server.address().port;
  }
  async restart() {
    const closed = new Promise((done) => this.server.close(done));
    for (const socket of this.sockets) socket.resetAndDestroy();
    await closed;
    await sleep(20);
    ++this.restarts;
    await this.listen(this.port);
  }
  note(target) {
    this.seen.set(target, (this.seen.get(target) ?? 0) + 1);
  }
  async serve(request, response) {
    const {url} = request;
    if (url !== '/mcp') this.note(url);
    let size = 0;
    const parts = [];
    try {
      for await (const part of request) {
        size += part.length;
        if (url === '/mcp') parts.push(part);
      }
    } catch {
      return;  // whoever sent it has gone
    }
    if (url === '/mcp') {
      const {id, params: {name}} = JSON.parse(Buffer.concat(parts).toString());
      this.note(name);
      response.setHeader('Content-Type', 'application/json');
      const content = [{type: 'text', text: name}];
      return response.end(JSON.stringify({jsonrpc: '2.0', id, result: {content}}));
    }
    if (url.startsWith('/late/')) await sleep(20);
    if (url.startsWith('/big/')) return response.end(Buffer.alloc(2 << 20, 'b'));
    if (!url.startsWith('/events/')) return response.end(`"${url}" ${size}`);
    response.setHeader('Content-Type', 'text/event-stream');
    for (let i = 0; i < 5 && !response.destroyed; ++i) {
      response.write(`data: "${url}" ${i}\n\n`);
      await sleep(2);
    }
    response.end();
  }
}

async function echoServer() {
  const echo = {connections: 0};
  echo.server = net.createServer({allowHalfOpen: true}, (socket) => {
    ++echo.connections;
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise((done) => echo.server.listen(0, '127.0.0.1', done));
  echo.port = echo.server.address().port;
  return echo;
}

const policy = (agents, version) => policyOf(
    agents, `    allow:
      - {id: api, upstream: api}
      - {id: tools, upstream: tools}
      - {id: out, connect: "*:*"}
    deny:
      - {id: denied, upstream: api, http: "* /denied/**", because: Version ${version}}
`,
    `prices:
  - {upstream: tools, tools: "*", cost: 0.0001 USD}
budgets:
  cap: {for: everyone, limit: 1000000 USD per year}
`);

const anonymousKb = (pid) =>
    Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
const fds = (pid) => readdirSync(`/proc/${pid}/fd`).length;
const mean = (list) => list.reduce((sum, each) => sum + each, 0) / Math.max(1, list.length);

// The files of the record in their order: what was rotated away, then the current one.
function recordFiles(path) {
  const rotated = readdirSync(dirname(path))
                      .filter((name) => new RegExp(`^${basename(path)}\\.\\d+$`).test(name))
                      .sort();
  return [...rotated.map((name) => `${dirname(path)}/${name}`), path];
}

async function* recordLines(path) {
  for (const file of recordFiles(path)) yield* createInterface({input: createReadStream(file)});
}

// Reads the record once, line by line: the chain, and what it says of each call.
async function readRecord(path) {
  const calls = new Map();
  let previous = '0'.repeat(64);
  let lines = 0;
  for await (const line of recordLines(path)) {
    ++lines;
    const at = line.lastIndexOf(',"hash":"');
    const {prev, hash, kind, seq, call: id, ...rest} = JSON.parse(line);
    if (prev !== previous) problem(`line ${lines} of the record does not follow the one before`);
    if (createHash('sha256').update(`${line.slice(0, at)}}`).digest('hex') !== hash)
      problem(`line ${lines} of the record has another hash`);
    previous = hash;
    // A line that counts refusals of unproven callers stands for no one call.
    if ((kind !== 'decision' && kind !== 'outcome') || rest.count) continue;
    const entry = calls.get(id) ?? {decision: 0, outcome: 0};
    ++entry[kind];
    if (kind === 'decision')
      Object.assign(entry, {target: rest.target, verdict: rest.decision});
    else
      Object.assign(entry, {status: rest.status, error: rest.error});
    calls.set(id, entry);
  }
  return {calls, lines};
}

// G29.
function join({calls}, upstream, echo) {
  const tunnelTarget = `127.0.0.1:${echo.port}`;
  const recorded = new Map();
  let tunnels = 0;
  for (const [id, entry] of calls) {
    if (entry.decision !== 1 || entry.outcome !== 1)
      problem(`call ${id} has ${entry.decision} decisions and ${entry.outcome} outcomes`);
    if (entry.target === tunnelTarget)
      tunnels += entry.status === 200 ? 1 : 0;
    else if (entry.verdict === 'allow')
      recorded.set(entry.target, entry);
  }
  let missing = 0;
  let extra = 0;
  for (const target of upstream.seen.keys()) {
    if (recorded.has(target)) continue;
    ++missing;
    problem(`${target} reached the upstream and is not in the record`);
  }
  for (const [target, {status, error}] of recorded) {
    if (status !== 200 || error || upstream.seen.has(target)) continue;
    ++extra;
    problem(`${target} was answered, says the record, and never reached the upstream`);
  }
  if (Math.abs(tunnels - echo.connections) > 0)
    problem(`${tunnels} tunnels in the record, ${echo.connections} at their other end`);
  return {missing, extra};
}

async function drive(to, until_, counts) {
  const names = Object.keys(kinds);
  const agents = [new http.Agent({keepAlive: true, maxSockets: 64}), false];
  const pending = new Set();
  let id = 0;
  const begin = performance.now();
  while (performance.now() < until_) {
    // An open loop: calls begin when they are due, whatever became of the others.
    while (id < (performance.now() - begin) / 1000 * Number(args.rate) && pending.size < 500) {
      const name = names[id % names.length];
      const agent = agents[id % 7 === 0 ? 1 : 0];
      const one = kinds[name](to, agent, `${++id}`)
                      .then(
                          (how) => {
                            counts[how] = (counts[how] ?? 0) + 1;
                          },
                          (error) => problem(`${name}: ${error.message}`))
                      .finally(() => pending.delete(one));
      pending.add(one);
    }
    await sleep(5);
  }
  await Promise.all(pending);
  agents[0].destroy();
  return id;
}

async function soak(s) {
  const upstream = new Upstream();
  await upstream.listen();
  const echo = await echoServer();
  s.defer(() => {
    upstream.server.closeAllConnections();
    upstream.server.close();
    echo.server.close();
  });
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policy([jordan], 0),
    upstreams: {
      api: {http: `http://127.0.0.1:${upstream.port}`},
      tools: {mcp: `http://127.0.0.1:${upstream.port}/mcp`}
    },
    config: {
      threads: Number(args.threads),
      audit: {rotate: args.rotate},
      dial: {allow: ['127.0.0.0/8']},
      limits: {head: '1s', idle: '20s', drain: '10s'}
    }
  });
  if (args.keep) console.log(`folder ${sidecar.folder}`);
  const start = {fds: fds(sidecar.pid)};
  const end = performance.now() + duration;
  const memory = [];
  const counts = {};
  let running = true;
  const every = async (ms, work) => {
    for (let round = 1; running; ++round) {
      await sleep(ms);
      if (running) await work(round);
    }
  };
  const background = [
    every(
        1000,
        (round) => {
          sidecar.writePolicy(round % 5 === 0 ? 'version: 1\nagents: {' : policy([jordan], round));
          sidecar.signal('SIGHUP');
        }),
    every(3000, () => upstream.restart()),
    every(
        Math.min(1000, duration / 60),
        () => {
          if (!sidecar.exit) memory.push(anonymousKb(sidecar.pid));
        }),
  ];
  const to = {port: sidecar.port, token: jordan.token, echoPort: echo.port};
  const calls = await drive(to, end, counts);
  running = false;
  await Promise.all(background);

  if (sidecar.exit) throw new Error(`the sidecar ended: ${JSON.stringify(sidecar.exit)}`);
  await until(async () => await sidecar.metric('reeve_connections') === 0, 'an end of connections')
      .catch((error) => problem(error.message));
  let left;
  await until(() => (left = fds(sidecar.pid)) <= start.fds, 'the descriptors of the start', 60_000)
      .catch(() => problem(`${start.fds} descriptors at the start, ${left} at the end`));
  const reloads = await sidecar.metric('reeve_policy_reloads_total', {result: 'ok'});
  if (duration >= 5000 && !(reloads > 0 && upstream.restarts > 0))
    problem(`${reloads} reloads and ${upstream.restarts} restarts`);
  const budgets = await call(sidecar.adminPort, 'GET', '/v1/budgets', {token: sidecar.adminToken});
  if (Number(budgets.json.budgets[0].reserved) !== 0) problem(`left: ${budgets.body}`);
  const exit = await sidecar.stop();
  if (exit.code !== 0) problem(`the sidecar ended with ${JSON.stringify(exit)}`);
  if (/Sanitizer|runtime error:/.test(sidecar.stderr)) problem(sidecar.stderr.slice(-4000));

  // The first half warms: what the most calls at once took stays with the allocator. After it, a
  // leak of ten bytes a call would show.
  const quarter = Math.floor(memory.length / 4);
  const early = mean(memory.slice(2 * quarter, 3 * quarter));
  const late = mean(memory.slice(3 * quarter));
  const most = duration >= 300_000 ? 1024 : 8192;  // KiB; a short run is all warming up
  if (!sanitized && late - early > most)
    problem(`memory grew by ${(late - early).toFixed(0)} KiB from the third quarter to the last: ${
        memory.filter((_, i) => i % Math.ceil(memory.length / 60) === 0).join(' ')}`);
  const record = await readRecord(sidecar.auditPath);
  const {missing, extra} = join(record, upstream, echo);
  if (!(counts.answered > calls / 4)) problem(`only ${counts.answered} of ${calls} were answered`);
  const ends = Object.entries(counts).map(([how, n]) => `${n} ${how}`).join(', ');
  return `${calls} calls (${ends}), ${upstream.seen.size} targets at the upstream, ${
      echo.connections} tunnels, ${record.lines} lines of the record, ${missing} missing, ${
      extra} extra, ${reloads} reloads, ${upstream.restarts} restarts, descriptors ${start.fds} → ${
      left}, memory ${early.toFixed(0)} → ${late.toFixed(0)} KiB`;
}

const s = new Scenario();
let summary = '';
try {
  summary = await soak(s);
} catch (error) {
  problem(error.stack);
} finally {
  for (const sidecar of s.sidecars)
    if (problems.length) console.error(sidecar.stderr.slice(-4000));
  if (!args.keep)
    for (const cleanup of s.cleanups.reverse()) await cleanup();
}
for (const text of problems) console.log(`problem: ${text}`);
console.log(`soak, ${args.minutes} minutes: ${problems.length ? 'FAILED' : 'passed'}: ${summary}`);
process.exit(problems.length ? 1 : 0);
