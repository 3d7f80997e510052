// examples/report: its simulated record is a sound one that its policy agrees with, its page is
// what `reeve report` makes of it, and shows in a browser what this test counts in the record by
// itself.
import {createReadStream, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {createInterface} from 'node:readline';

import {openBrowser, page, violations} from './browser.mjs';
import {assert, binary, root, run, scenario} from './lib.mjs';

const example = (name) => join(root, 'examples/report', name);
// The third quarter of 2026 in Berlin, where the policy's budgets turn over.
const [from, to] = ['2026-06-30T22:00:00', '2026-09-30T22:00:00'];
const dayOf = (time) => new Date(Date.parse(time) + 2 * 3600_000).toISOString().slice(0, 10);

const count = (number) => number.toLocaleString('en-US');
const percent = (part, whole) => `${(100 * part / whole).toFixed(1)} %`;
const dollars = (micros) => `USD ${(Math.round(micros / 1e4) / 100).toFixed(2)}`;

// {calls, denied, succeeded, answered, asked, spent (micros), agents} of the quarter, `teams` and
// `days` of the same by name.
async function counted(file) {
  const none = () =>
      ({calls: 0, denied: 0, succeeded: 0, answered: 0, asked: 0, spent: 0, agents: new Set()});
  const total = {...none(), teams: {}, days: {}};
  for await (const text of createInterface({input: createReadStream(file)})) {
    const line = JSON.parse(text);
    if (line.time < from || line.time >= to) continue;
    total.asked += line.kind === 'approval' && line.verdict === 'asked' ? 1 : 0;
    if (line.kind === 'approval') continue;
    const team = total.teams[line.team] ??= none();
    const day = total.days[dayOf(line.time)] ??= none();
    for (const counts of [total, team, day]) {
      if (line.kind === 'decision') {
        counts.calls += 1;
        counts.agents.add(line.agent);
        counts.denied += line.decision === 'deny' ? 1 : 0;
      } else if (line.decision === 'allow') {
        counts.answered += 1;
        counts.succeeded += line.status < 400 ? 1 : 0;
        counts.spent += Math.round((line.cost ?? 0) * 1e6);
      }
    }
  }
  return total;
}

// The browser's page has what was counted, in words, tables and charts.
async function compare(shown, expected) {
  const tile = (name) =>
      shown.locator('.tiles div').filter({has: shown.locator('dt', {hasText: name})});
  const {calls, denied, answered, succeeded, asked, spent, agents, teams, days} = expected;
  for (const [name, value] of Object.entries({
         'Agents at work': agents.size,
         Calls: count(calls),
         Succeeded: percent(succeeded, answered),
         Failed: percent(answered - succeeded, answered),
         Denied: percent(denied, calls),
         Spent: dollars(spent),
         'Asked of people': count(asked),
       }))
    assert.equal((await tile(name).locator('dd').innerText()).split('\n')[0], `${value}`, name);

  const rows =
      await shown.locator('#teams tbody tr')
          .evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  assert.deepEqual(
      rows.map((row) => [row[0], row[2], row[5], row[8]]),
      Object.entries(teams).sort().map(
          ([name, team]) =>
              [name, count(team.calls), percent(team.denied, team.calls),
               team.spent > 0 ? dollars(team.spent) : '–']));

  const charts = shown.locator('figure > svg[role=img]');
  assert.deepEqual(
      await charts.locator('> title').allTextContents(),
      ['Calls per day', 'Spend per day', 'How long calls took, per day']);
  for (const chart of await charts.all()) {
    const box = await chart.boundingBox();
    assert.ok(box.width > 300 && box.height > 80, 'it is drawn');
  }
  // Bars are as high as their day's figures, and there is one for each day.
  const names = Object.keys(days).sort();
  assert.equal(names.length, 92);
  const bars = await charts.nth(0)
                   .locator('g:not(.axis)')
                   .evaluateAll((all) => all.map((bar) => ({
                                                   told: bar.querySelector('title').textContent,
                                                   height: [...bar.querySelectorAll('rect')].reduce(
                                                       (sum, r) => sum + r.height.baseVal.value, 0),
                                                 })));
  assert.deepEqual(bars.map(({told}) => told), names.map((name) => {
    const day = days[name];
    return `${name}\nsucceeded: ${count(day.succeeded)}\nfailed: ${
        count(day.answered - day.succeeded)}\ndenied: ${count(day.denied)}`;
  }));
  const unit = bars[0].height / days[names[0]].calls;
  names.forEach(
      (name, i) =>
          assert.ok(Math.abs(bars[i].height - unit * days[name].calls) < 0.8, `bar of ${name}`));
  const spends = await charts.nth(1).locator('g:not(.axis) > title').allTextContents();
  assert.deepEqual(spends, names.map((name) => `${name}\nspent: ${dollars(days[name].spent)}`));
  assert.equal(await charts.nth(2).locator('path.line').count(), 2);
  assert.equal(await charts.nth(2).locator('rect.hover').count(), 92);
  assert.equal(await shown.locator('#agents svg.spark').count(), agents.size);

  const attention = await shown.locator('#attention').innerText();
  for (const finding
           of [/engineering-monthly .*used up \d times/, /of 273 calls were denied/,
               /of its calls go elsewhere than before/, /finance-23: made no call/,
               /sam@acme\.example: said yes to (\d+) of \1 questions/, /sales-export, hr-export/])
    assert.match(attention, finding);
}

scenario('the page of examples/report is that of its simulated quarter', async (s) => {
  const folder = s.folder('reeve-report-');
  const good = async (command, ...args) => {
    const result = await run(command, args, {cwd: folder});
    assert.equal(result.code, 0, `${args.join(' ')}\n${result.out}${result.err}`);
    return result.out;
  };
  await good(example('simulate'), folder);
  const same = (name) => assert.ok(
      readFileSync(join(folder, name)).equals(readFileSync(example(name))),
      `examples/report/${name} is out of date: make it anew as its README says`);
  same('policy.yaml');
  await good(binary, 'check', '--strict', 'policy.yaml');
  assert.match(await good(binary, 'audit', 'verify', '--unsealed', 'audit.jsonl'), /^sound: /m);
  assert.match(
      await good(binary, 'diff', 'policy.yaml', 'policy.yaml', '--audit', 'audit.jsonl'),
      /^0 of \d{5} recorded calls would be decided otherwise, 0 more might$/m);
  await good(
      binary, 'report', '--audit', 'audit.jsonl', '-p', 'policy.yaml', '--period', '2026-Q3',
      '--html', 'report.html');
  same('report.html');

  const expected = await counted(join(folder, 'audit.jsonl'));
  assert.ok(expected.calls > 50_000 && expected.agents.size > 190 && expected.denied > 1000);
  const browser = await openBrowser(s);
  const url = `file://${example('report.html')}`;
  const shown = await page(browser, url);
  assert.deepEqual(await violations(shown), []);
  assert.deepEqual(shown.requested, [url]);
  assert.deepEqual(shown.problems, []);
  assert.match(await shown.title(), /^Agents at work: 2026-Q3/);
  assert.equal(await shown.locator('script').count(), 0);
  await compare(shown, expected);
});
