// The metrics as Prometheus itself reads them: Debian's server scrapes the sidecar, and queries
// find just these calls.
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {agentEntry, assert, call, freePort, policyOf, run, scenario, until} from './lib.mjs';

scenario('Prometheus scrapes the sidecar and answers queries about its calls', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], '    allow:\n      - {upstream: api, http: "GET /**"}\n', `prices:
  - {upstream: api, http: "GET /paid", cost: 0.25 USD}
budgets:
  cap: {for: {agent: jordan}, limit: 1 USD per day}
`),
    upstreams: {api: {http: origin.url()}}
  });
  const folder = s.folder();
  writeFileSync(
      join(folder, 'prometheus.yml'), `global: {scrape_interval: 250ms, scrape_timeout: 250ms}
scrape_configs:
  - {job_name: reeve, static_configs: [{targets: ['127.0.0.1:${sidecar.adminPort}']}]}
`);
  const port = await freePort();
  await s.server(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn'
      ],
      {port, path: '/-/ready'});
  for (let i = 0; i < 7; ++i)
    assert.equal((await sidecar.call('GET', '/api/free', {token: jordan.token})).status, 200);
  for (let i = 0; i < 5; ++i) await sidecar.call('GET', '/api/paid', {token: jordan.token});
  for (let i = 0; i < 3; ++i)
    assert.equal((await sidecar.call('POST', '/api/free', {token: jordan.token})).status, 403);

  const query = async (expression) => {
    const answer = await call(port, 'GET', `/api/v1/query?query=${encodeURIComponent(expression)}`);
    const result = answer.json?.data?.result ?? [];
    return result.length === 1 ? Number(result[0].value[1]) : undefined;
  };
  const expected = [
    ['up{job="reeve"}', 1],
    ['sum(reeve_calls_total{agent="jordan",upstream="api",action="GET",decision="allow"})', 11],
    ['sum(reeve_calls_total{agent="jordan",upstream="api",action="GET",decision="deny"})', 1],
    ['sum(reeve_calls_total{agent="jordan",action="POST",decision="deny"})', 3],
    ['sum(reeve_spend_total{agent="jordan",currency="USD"})', 1],
    ['reeve_budget_used{budget="cap"} / reeve_budget_limit{budget="cap"}', 1],
    ['sum(reeve_call_duration_seconds_count{agent="jordan",upstream="api"})', 15],
    ['sum(reeve_upstream_duration_seconds_count{agent="jordan",upstream="api"})', 11],
    ['histogram_quantile(0.99, sum by (le) (reeve_call_duration_seconds_bucket)) > bool 0', 1],
    ['reeve_budget_reset_timestamp_seconds{budget="cap"} > bool time()', 1],
    ['reeve_agent_state{agent="jordan",state="active"}', 1],
    ['count(reeve_policy_info)', 1],
    ['count(reeve_build_info)', 1],
    ['reeve_audit_errors_total', 0],
  ];
  for (const [expression, value] of expected) {
    let last;
    await until(
        async () => (last = await query(expression)) === value, `${value} from ${expression}`,
        15_000)
        .catch((error) => {
          throw new Error(`${error.message}; it gave ${last}`);
        });
  }

  const metrics = (await call(sidecar.adminPort, 'GET', '/metrics'));
  assert.match(metrics.headers['content-type'], /^text\/plain/);
  const linted = await run('promtool', ['check', 'metrics'], {input: metrics.body});
  assert.equal(linted.code, 0, linted.err + linted.out);
});
