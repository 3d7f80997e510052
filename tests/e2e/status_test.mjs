// `reeve status` of a sidecar that is well, that refused a policy, whose upstream is away, and of
// none.
import {join} from 'node:path';

import {agentEntry, assert, binary, freePort, policyOf, run, scenario, until} from './lib.mjs';

scenario('reeve status says how the sidecar is, and what became of the last reload', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const policy = policyOf([jordan], `    allow:
      - {upstream: api}
      - {upstream: gone}
`);
  const config = await s.configure({
    policy,
    upstreams: {api: {http: origin.url()}, gone: {http: `http://127.0.0.1:${await freePort()}`}}
  });
  const status = (...words) =>
      run(binary, ['status', '-c', join(config.folder, 'reeve.yaml'), ...words], {env: config.env});
  const away = await status();
  assert.equal(away.code, 1);
  assert.match(away.err, /no sidecar answers on 127\.0\.0\.1:\d+: .*start it with `reeve serve`/);

  const sidecar = await s.launch(config).ready();
  const well = await status();
  assert.equal(well.code, 0, well.err);
  assert.match(
      well.out, /^sidecar {3}ready on 127\.0\.0\.1:\d+, version \d+\.\d+\.\d+, since 20\d\d-/);
  assert.match(well.out, /^policy {4}[0-9a-f]{64} of .*policy\.yaml, loaded 20\d\d-/m);
  assert.match(well.out, /^upstream {2}api +up, /m);

  await sidecar.call('GET', '/gone/x', {token: jordan.token});
  await until(async () => /is \w+: .*refused/i.test((await status()).out), 'the failure of `gone`');

  sidecar.writePolicy(policy.replace('version: 1', 'version: 1\nrolls: {}'));
  const refused = await until(async () => {
    const said = await status();
    return said.code === 1 && said;
  }, 'the refusal');
  assert.match(
      refused.out, /REFUSED, the policy above stays in force: .*policy\.yaml:2:1: .*rolls/);
  const json = JSON.parse((await status('--json')).out);
  assert.equal(json.ready, true);
  assert.match(json.policy.last_error, /rolls/);
  assert.deepEqual(json.upstreams.map(({upstream}) => upstream), ['api', 'gone']);

  sidecar.writePolicy(policy);
  await until(async () => (await status()).code === 0, 'the good policy');
  const stranger = await run(
      binary, ['status', '-c', join(config.folder, 'reeve.yaml')],
      {env: {...config.env, REEVE_TOKEN: 'not-the-token-of-anybody'}});
  assert.equal(stranger.code, 1);
  assert.match(stranger.err, /admin token/);
});
