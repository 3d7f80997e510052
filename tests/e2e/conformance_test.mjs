// With tests/run --long: the official MCP conformance suite finds through the sidecar what it finds
// without it.
import {agentEntry, assert, freePort, long, policyOf, root, run, scenario} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';

const suite = `${root}/tests/node_modules/@modelcontextprotocol/conformance/dist/index.js`;

// {scenario: [passed, failed]} of a run against a server.
async function score(s, url, revision) {
  const {out, err} = await run(
      process.execPath, [suite, 'server', '--url', url, '--requirements', revision],
      {cwd: s.folder(), ms: 280_000});
  const rows = {};
  for (const [, name, passed, failed] of out.slice(out.indexOf('=== SUMMARY'))
           .matchAll(/^[✓✗] ([^:\n]+): (\d+) passed, (\d+) failed/gm)) {
    rows[name] = [Number(passed), Number(failed)];
  }
  assert.ok(Object.keys(rows).length > 10, out.slice(-2000) + err.slice(-2000));
  return rows;
}

// The suite sends no credential, so a listener proves the agent.
async function compare(s, url, revision) {
  const jordan = agentEntry('jordan', {identity: 'listener: open'});
  const port = await freePort();
  await s.sidecar({
    policy: policyOf([jordan], '    allow:\n      - {upstream: server}\n'),
    upstreams: {server: {mcp: url}},
    listen: () => [{name: 'open', address: `127.0.0.1:${port}`}]
  });
  const direct = await score(s, url, revision);
  const through = await score(s, `http://127.0.0.1:${port}/server`, revision);
  const worse = Object.keys(direct).filter((name) => (through[name]?.[0] ?? 0) < direct[name][0]);
  assert.deepEqual(
      worse.map((name) => `${name}: ${direct[name]} directly, ${through[name]} through`), []);
}

scenario(
    'server-everything scores the same at 2025-11-25',
    async (s) => compare(s, (await s.everything()).url, '2025-11-25'),
    {skip: !long, timeout: 600_000});
for (const revision of ['2025-11-25', '2026-07-28']) {
  scenario(
      `a server of both eras scores the same at ${revision}`,
      async (s) => compare(s, (await mcpOrigin(s)).url, revision), {skip: !long, timeout: 600_000});
}
