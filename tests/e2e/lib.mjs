// What every end-to-end test imports: scenarios that start the real binary, servers that record
// what reached them, and real MCP servers; that clean up, and show what the sidecar said when they
// fail.
import {spawn} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import http from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'node:test';

import {Sidecar} from './sidecar.mjs';
import {assert, call, freePort, newToken, root, sha256, until} from './wire.mjs';

export * from './wire.mjs';

// An HTTP server that keeps what it was sent: `requests` of {method, url, headers, rawHeaders,
// body}.
class Origin {
  requests = [];
  constructor(handler) {
    this.server = http.createServer(async (request, response) => {
      const entry = {
        method: request.method,
        url: request.url,
        headers: request.headers,
        rawHeaders: request.rawHeaders,
        body: ''
      };
      this.requests.push(entry);
      if (handler.streams) return handler(request, response, entry);
      try {
        const parts = [];
        for await (const part of request) parts.push(part);
        entry.body = Buffer.concat(parts).toString();
      } catch {
        return;  // the caller went away
      }
      handler(request, response, entry);
    });
    this.server.keepAliveTimeout = 60_000;
  }
  async listen(port = 0) {
    await new Promise((done) => this.server.listen(port, '127.0.0.1', done));
    this.port = this.server.address().port;
    return this;
  }
  url(path = '') {
    return `http://127.0.0.1:${this.port}${path}`;
  }
  async close() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

export const ok = (request, response) => {
  response.writeHead(200, {'Content-Type': 'text/plain'});
  response.end('ok');
};

// Everything a scenario starts belongs to it, and ends with it.
export class Scenario {
  cleanups = [];
  sidecars = [];
  folder(prefix = 'reeve-e2e-') {
    const path = mkdtempSync(join(tmpdir(), prefix));
    this.cleanups.push(() => rmSync(path, {recursive: true, force: true}));
    return path;
  }
  defer(cleanup) {
    this.cleanups.push(cleanup);
  }
  async origin(handler = ok) {
    const origin = await new Origin(handler).listen();
    this.cleanups.push(() => origin.close());
    return origin;
  }
  // A folder with reeve.yaml and policy.yaml. `upstreams` is {name: {http: …}}; `config` adds
  // top-level keys; `under` is a command that runs the sidecar.
  async configure({policy, upstreams = {}, config = {}, listen, folder = this.folder(), under}) {
    const port = await freePort();
    const adminPort = await freePort();
    const wiring = {
      listen: listen ? listen(port) : [{name: 'local', address: `127.0.0.1:${port}`}],
      admin: {address: `127.0.0.1:${adminPort}`, token: '${REEVE_ADMIN_TOKEN}'},
      policy: 'policy.yaml',
      state: './state',
      audit: {path: './state/audit.jsonl'},
      limits: {drain: '2s'},
      // Races need threads to race.
      ...(process.env.REEVE_SANITIZE === 'thread' && {threads: 3}),
      upstreams,
      ...config,
    };
    mkdirSync(folder, {recursive: true});
    // JSON is YAML.
    writeFileSync(join(folder, 'reeve.yaml'), JSON.stringify(wiring, null, 2));
    writeFileSync(join(folder, 'policy.yaml'), policy);
    return {folder, port, adminPort, under, env: {REEVE_ADMIN_TOKEN: newToken()}};
  }
  launch({folder, port, adminPort, under, env, fds}) {
    const sidecar = new Sidecar(folder, port, adminPort, {env, under, fds});
    this.sidecars.push(sidecar);
    this.cleanups.push(async () => {
      if (!sidecar.exit) await sidecar.kill();
    });
    return sidecar;
  }
  async sidecar(options) {
    return this.launch(await this.configure(options)).ready();
  }
  // Starts a program that serves on `port` until the scenario ends.
  async server(command, args, {env = {}, port, path = '/', cwd}) {
    const child = spawn(
        command, args, {cwd, env: {...process.env, ...env}, stdio: ['ignore', 'pipe', 'pipe']});
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    child.stderr.on('data', (data) => {
      output += data;
    });
    let over = false;
    const ended = new Promise((done) => child.on('close', done).on('error', (error) => {
                    output += error.message;
                    done();
                  })).then(() => {
      over = true;
    });
    this.cleanups.push(async () => {
      child.kill('SIGKILL');
      await ended;
    });
    await until(async () => {
      if (over) throw new Error(`${command} ended:\n${output}`);
      return call(port, 'GET', path).catch(() => null);
    }, `${command} on port ${port}`);
    return {port, child, output: () => output};
  }
  // @modelcontextprotocol/server-everything, over Streamable HTTP at /mcp.
  async everything() {
    const port = await freePort();
    const main =
        join(root, 'tests/node_modules/@modelcontextprotocol/server-everything/dist/index.js');
    await this.server(
        process.execPath, [main, 'streamableHttp'],
        {env: {PORT: String(port)}, port, path: '/mcp'});
    return {port, url: `http://127.0.0.1:${port}/mcp`};
  }
}

export function scenario(name, body, {skip = false, timeout = 240_000} = {}) {
  test(name, {skip, timeout}, async () => {
    const scope = new Scenario();
    try {
      await body(scope);
      for (const sidecar of scope.sidecars) await assertEndsWell(sidecar);
    } catch (error) {
      for (const sidecar of scope.sidecars) {
        console.error(`--- what the sidecar of "${name}" said (${
            JSON.stringify(sidecar.exit ?? 'running')}):`);
        console.error(sidecar.stderr.slice(-8000) || '(nothing)');
      }
      throw error;
    } finally {
      for (const cleanup of scope.cleanups.reverse()) await cleanup();
    }
  });
}

// A sidecar that still runs drains and leaves with 0; none has had a sanitizer's complaint.
async function assertEndsWell(sidecar) {
  if (!sidecar.exit)
    assert.deepEqual(await sidecar.stop(), {code: 0, signal: null}, 'after SIGTERM');
  assert.doesNotMatch(
      sidecar.stderr, /AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:/);
}

// A policy for one role `worker` of all `agents` (entries); `rules` and `more` are YAML at their
// right indentation.
export const policyOf = (agents, rules, more = '') => `version: 1\ncurrency: USD\nagents:\n${
    agents.map((agent) => agent.yaml).join('')}roles:\n  worker:\n${rules}${more}`;
export const allowAll = (upstream) => `    allow:\n      - {id: all, upstream: ${upstream}}\n`;

// An agent's entry in a policy, and the token that proves it.
export function agentEntry(name, {roles = 'worker', token = newToken(), identity, more = ''} = {}) {
  const proof = identity ?? `token_sha256: ${sha256(token)}`;
  const yaml =
      `  ${name}:\n    owner: dana@acme.example\n    purpose: Testing\n    team: testers\n` +
      `    roles: [${roles}]\n    identity:\n      - ${proof}\n${more}`;
  return {token, yaml};
}
