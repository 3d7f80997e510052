// `reeve report` over the record of a real sidecar, and its page in a browser: the figures are
// those of the calls that were made, the charts are drawn, nothing is asked of anybody, all can use
// it.
import {readFileSync} from 'node:fs';
import {join} from 'node:path';

import {openBrowser, page, violations} from './browser.mjs';
import {agentEntry, assert, binary, policyOf, run, scenario} from './lib.mjs';

const hostile = '</td><script>document.title=1</script>';

async function worked(s) {
  const origin = await s.origin((request, response) => {
    response.writeHead(request.url.startsWith('/broken') ? 500 : 200);
    response.end('ok');
  });
  const [jordan, kim] =
      [agentEntry('jordan', {more: '    budget: 40 calls per day\n'}), agentEntry('kim')];
  const rules = `    allow:
      - {id: read, upstream: api, http: "GET /**"}
      - {id: unused, upstream: api, http: "DELETE /**"}
`;
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan, kim], rules), upstreams: {api: {http: origin.url()}}});
  const call = (method, path) => sidecar.call(method, `/api${path}`, {token: jordan.token});
  for (let i = 0; i < 30; ++i) assert.equal((await call('GET', `/items/${i}`)).status, 200);
  for (let i = 0; i < 3; ++i) assert.equal((await call('GET', '/broken')).status, 500);
  for (let i = 0; i < 11; ++i)
    assert.equal(
        (await call('POST', `/${encodeURIComponent(hostile).replaceAll('%2F', '')}`)).status, 403);
  await sidecar.records({}, 44);
  const report = (...args) =>
      run(binary, ['report', '-c', join(sidecar.folder, 'reeve.yaml'), '--from', '1h', ...args],
          {env: {REEVE_ADMIN_TOKEN: sidecar.adminToken}});
  return {sidecar, report};
}

scenario('the page of a record shows what was done, to all, and asks nobody', async (s) => {
  const {sidecar, report} = await worked(s);
  const json = await report('--json');
  assert.equal(json.code, 0, json.err);
  const {total, attention, agents, unused_grants} = JSON.parse(json.out);
  assert.equal(total.now.calls, 44);
  assert.equal(total.now.succeeded, 30);
  assert.equal(total.now.failed, 3);
  assert.equal(total.now.denied, 11);
  assert.ok(total.latency.p50_ms > 0);
  assert.deepEqual(agents.map(({agent, now}) => [agent, now.calls]), [['jordan', 44], ['kim', 0]]);
  assert.deepEqual(unused_grants.map(({rule}) => rule), ['unused']);
  const topics = attention.map(({topic}) => topic);
  for (const topic of ['denials', 'budget', 'idle', 'grants'])
    assert.ok(topics.includes(topic), topic);

  const text = await report();
  assert.equal(text.code, 0, text.err);
  assert.match(text.out, /jordan: 25\.0 % of 44 calls were denied/);
  assert.match(text.out, /^jordan +44 /m);

  const file = join(sidecar.folder, 'report.html');
  const written = await report('--html', file);
  assert.equal(written.code, 0, written.err);
  assert.doesNotMatch(readFileSync(file, 'utf8'), /<script/);

  const browser = await openBrowser(s);
  for (const options of [{colorScheme: 'light'}, {colorScheme: 'dark'}]) {
    const shown = await page(browser, `file://${file}`, options);
    assert.deepEqual(await violations(shown), [], options.colorScheme);
    assert.deepEqual(shown.requested, [`file://${file}`]);
    assert.deepEqual(shown.problems, []);
    assert.match(await shown.title(), /^Agents at work: /);
    await shown.context().close();
  }
  // As it comes to those who run no scripts at all.
  const shown = await page(browser, `file://${file}`, {javaScriptEnabled: false});
  const tile = (name) => shown.locator('.tiles div', {hasText: name}).first().locator('dd');
  assert.match(await tile('Calls').innerText(), /^44/);
  assert.match(await tile('Denied').innerText(), /^25\.0 %/);
  for (const name of ['Calls per', 'How long calls took']) {
    const chart = shown.getByRole('img', {name});
    const box = await chart.boundingBox();
    assert.ok(box.width > 300 && box.height > 80, name);
  }
  assert.ok(await shown.locator('figure rect.bad[height]').count() > 0, 'denied calls are drawn');
  const row = shown.getByRole('row', {name: /^jordan/}).first();
  assert.match(await row.innerText(), /44/);
  assert.match(await shown.locator('#attention').innerText(), /kim: made no call/);
  assert.match(await shown.locator('#grants').innerText(), /unused/);
  assert.match(await shown.locator('#budgets').innerText(), /jordan/);
});

scenario('what cannot be reported is said', async (s) => {
  const {sidecar} = await worked(s);
  const of = (...args) => run(binary, ['report', '--audit', sidecar.auditPath, ...args]);
  const without = await of ();
  assert.equal(without.code, 0, without.err);
  assert.match(without.out, /Made without a policy/);
  for (const [pattern, ...args] of [
           [/`x` is no period/, '--period', 'x'], [/excludes/, '--period', 'week', '--to', '1h'],
           [/no time zone/, '--zone', 'Mars/One'], [/must be before/, '--from', '1h', '--to', '2h'],
           [/such an agent/, '--agent', 'nobody'], [/exclude each other/, '--json', '--html', 'x'],
           [/cannot be written/, '--html', join(sidecar.folder, 'no/such/folder.html')]]) {
    const result = await of (...args);
    assert.equal(result.code, 2, `${args}: ${result.out}`);
    assert.match(result.err, pattern);
  }
});
