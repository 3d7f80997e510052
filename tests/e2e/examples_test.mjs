// Every example to begin from is without an error or a warning, wired and unwired, and passes its
// own tests.
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

import {assert, binary, root, run, scenario} from './lib.mjs';

const examples = join(root, 'examples');
const names = readdirSync(examples, {withFileTypes: true})
                  .filter((entry) => entry.isDirectory())
                  .map((entry) => entry.name)
                  .filter((name) => name !== 'report');  // simulated: see example_report_test.mjs

// Something for each ${NAME} of a reeve.yaml: a port where one is meant, else a long text.
function dummies(wiring) {
  const names = [...wiring.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name);
  return Object.fromEntries(names.map(
      (name, index) => [name, name.endsWith('_PORT') ? String(12_000 + index) : 'x'.repeat(32)]));
}

for (const name of names) {
  scenario(`examples/${name} is good and passes its tests`, async () => {
    const file = (base) => join(examples, name, base);
    const env = dummies(readFileSync(file('reeve.yaml'), 'utf8'));
    const good = async (...args) => {
      const result = await run(binary, args, {env});
      assert.equal(result.code, 0, `reeve ${args.join(' ')}\n${result.out}${result.err}`);
      return result.out;
    };
    await good('check', '--strict', file('reeve.yaml'));
    await good('check', '--strict', '-c', file('reeve.yaml'), file('policy.yaml'));
    await good('check', '--strict', '-c', file('reeve.yaml'), file('tests.yaml'));
    await good('test', '-c', file('reeve.yaml'), file('tests.yaml'));

    const [, passed] = /^(\d+) passed, 0 failed$/m.exec(await good('test', file('tests.yaml')));
    assert.ok(Number(passed) >= 12, `${passed} cases`);
    const table = readFileSync(join(examples, 'README.md'), 'utf8');
    assert.ok(table.includes(`[${name}/](${name}/README.md)`), 'it is in the table');
    assert.ok(existsSync(file('README.md')));
  });
}

scenario('there are the examples that people start from', () => {
  for (const name
           of ['customer-service', 'procurement', 'analytics-without-personal-data', 'it-support',
               'hr-onboarding', 'coding-agent']) {
    assert.ok(names.includes(name), name);
  }
});
