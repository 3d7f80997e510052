// Alerts and dashboard speak of metrics that a running sidecar has: promtool tests the alerts, a
// real Prometheus answers each query of the dashboard, and every alert leads to its runbook.
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {parse} from 'yaml';

import {agentEntry, assert, call, freePort, policyOf, root, run, scenario, until} from './lib.mjs';

const alertsFile = join(root, 'deploy/prometheus/alerts.yaml');
const alerts = parse(readFileSync(alertsFile, 'utf8')).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(readFileSync(join(root, 'deploy/grafana/dashboard.json'), 'utf8'));
const queries =
    dashboard.panels.flatMap(({title, targets = []}) => targets.map(({expr}) => ({title, expr})));
// As Grafana fills them in when everything is chosen.
const filledIn = (expr) =>
    expr.replaceAll(/\$__rate_interval|\$__range/g, '1m').replaceAll(/\$(agent|team)\b/g, '.*');
const metricsIn = (expr) => [...expr.matchAll(/\breeve_[a-z_]+/g)].map(
    ([name]) => name.replace(/_(bucket|count|sum)$/, ''));

scenario('the alerts fire when they should, and not on a day like others', async () => {
  const checked = await run('promtool', ['check', 'rules', alertsFile]);
  assert.equal(checked.code, 0, checked.out + checked.err);
  const folder = join(root, 'deploy/prometheus');
  const tested = await run('promtool', ['test', 'rules', 'alerts_test.yaml'], {cwd: folder});
  assert.equal(tested.code, 0, tested.out + tested.err);
  const {tests} = parse(readFileSync(join(folder, 'alerts_test.yaml'), 'utf8'));
  const cases = tests.flatMap((each) => each.alert_rule_test);
  for (const {alert} of alerts) {
    const own = cases.filter((each) => each.alertname === alert);
    assert.ok(own.some((each) => each.exp_alerts.length > 0), `${alert} is never seen to fire`);
    assert.ok(
        own.some((each) => each.exp_alerts.length === 0), `${alert} is never seen to be quiet`);
  }
});

scenario('every alert has a severity, and a runbook with what it means and what to do', () => {
  const text = readFileSync(join(root, 'deploy/runbooks/README.md'), 'utf8');
  const sections = new Map(text.split(/^## /m).slice(1).map((section) => {
    const [name, ...lines] = section.split('\n');
    return [name, lines.join('\n')];
  }));
  assert.deepEqual([...sections.keys()].sort(), alerts.map(({alert}) => alert).sort());
  for (const {alert, labels, annotations} of alerts) {
    assert.ok(['critical', 'warning', 'info'].includes(labels.severity), alert);
    assert.ok(annotations.summary, alert);
    assert.equal(annotations.runbook, `deploy/runbooks/README.md#${alert.toLowerCase()}`);
    assert.match(sections.get(alert), /^\*\*Means\*\*: /);
    assert.match(sections.get(alert), /^1\. /m);
  }
});

scenario(
    'a real Prometheus answers every query of the dashboard, and knows every metric', async (s) => {
      const origin = await s.origin();
      const jordan = agentEntry('jordan');
      const config = await s.configure({
        policy: policyOf(
            [jordan], `    allow:
      - {upstream: api, http: "GET /**"}
      - {upstream: gone, http: "GET /**"}
    ask:
      - {id: people, upstream: api, http: "POST /**", approvers: people, within: 5s}
`,
            `approvers:
  people: {members: [lee@acme.example]}
prices:
  - {upstream: api, http: "GET /**", cost: 0.25 USD}
budgets:
  cap: {for: {agent: jordan}, limit: 100000 USD per day}
`),
        upstreams: {api: {http: origin.url()}, gone: {http: `http://127.0.0.1:${await freePort()}`}}
      });
      const sidecar = await s.launch(config).ready();
      const folder = s.folder();
      writeFileSync(
          join(folder, 'prometheus.yml'), `global: {scrape_interval: 250ms, scrape_timeout: 250ms}
rule_files: ['${alertsFile}']
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
      const traffic = async () => {
        await sidecar.call('GET', '/api/x', {token: jordan.token});
        await sidecar.call('DELETE', '/api/x', {token: jordan.token});
        await sidecar.call('GET', '/gone/x', {token: jordan.token});
        await sidecar.call(
            'POST', '/api/x', {token: jordan.token, headers: {Prefer: 'respond-async'}});
      };

      const known = new Set();
      await traffic();
      const {body} = await call(sidecar.adminPort, 'GET', '/metrics');
      for (const [, name] of body.matchAll(/^# TYPE (\S+) /gm)) known.add(name);
      for (const expr of [...queries.map(({expr}) => expr), ...alerts.map(({expr}) => expr)])
        for (const name of metricsIn(expr)) assert.ok(known.has(name), `${name} of ${expr}`);
      assert.equal(
          await sidecar.metric(
              'reeve_agent_info', {agent: 'jordan', team: 'testers', owner: 'dana@acme.example'}),
          1);

      assert.ok(queries.length > 15);
      for (const {title, expr} of queries) {
        let last;
        await until(async () => {
          await traffic();
          last =
              await call(port, 'GET', `/api/v1/query?query=${encodeURIComponent(filledIn(expr))}`);
          if (last.status === 503) return false;  // it is still starting
          assert.equal(last.status, 200, `${title}: ${expr}\n${last.body}`);
          return last.json.data.result.some(({value}) => value[1] !== 'NaN');
        }, `an answer for "${title}": ${expr}`, 60_000).catch((error) => {
          throw new Error(`${error.message}\n${last?.body}`);
        });
      }
      const rules = await call(port, 'GET', '/api/v1/rules');
      assert.equal(rules.json.data.groups[0].rules.length, alerts.length);
    });
