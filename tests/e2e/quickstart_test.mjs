// The quickstart as a newcomer runs it; and `reeve explain` must say the same as the sidecar for
// every call of it.
import {readFileSync} from 'node:fs';
import {join} from 'node:path';

import {assert, binary, reeve, root, run, scenario} from './lib.mjs';

const policy = join(root, 'examples/three-roles/policy.yaml');

scenario(
    'the quickstart ends well, and explain agrees with the sidecar about every call', async () => {
      const result = await run(
          join(root, 'examples/quickstart'), [],
          {env: {REEVE_BINARY: binary, NO_COLOR: '1'}, cwd: root});
      assert.equal(result.code, 0, result.out + result.err);
      assert.doesNotMatch(result.out, /UNEXPECTED|\x1b/);
      for (const shown
               of ['allowed', 'denied', 'capped', 'no-finance', 'sees 2 of', 'reeve_calls_total{',
                   'two for each call']) {
        assert.ok(result.out.includes(shown), `shows ${shown}:\n${result.out}`);
      }
      for (const line of result.out.split('\n'))
        assert.ok(line.length <= 140, `a line fits a terminal: ${line}`);

      const folder = join(root, /the record (\S+)\/state\/audit\.jsonl/.exec(result.out)[1]);
      const calls = readFileSync(join(folder, 'calls.jsonl'), 'utf8')
                        .trim()
                        .split('\n')
                        .map((line) => JSON.parse(line));
      assert.ok(calls.length >= 12);
      for (const call of calls) {
        const args =
            ['explain', '-p', policy, '--agent', call.agent, '--upstream', call.upstream, '--json'];
        if (call.tool)
          args.push('--tool', call.tool, '--args', JSON.stringify(call.args));
        else
          args.push('--http', call.http, ...(call.body ? ['--body', call.body] : []));
        const explained = await reeve(...args);
        const what = `${JSON.stringify(call)}\n${explained.out}${explained.err}`;
        const said = JSON.parse(explained.out);
        // A spent budget is the ledger's news: the rules still allow the call, and explain names
        // what it would draw on.
        const decision = call.reason === 'budget' ? 'allow' : call.decision;
        assert.equal(said.decision, decision, what);
        assert.equal(said.rule?.id ?? said.rule ?? undefined, call.rule, what);
        assert.equal(explained.code, decision === 'allow' ? 0 : 4, what);
        if (call.budget) assert.ok(explained.out.includes(call.budget), what);
      }
    });

scenario('the example\'s files are without warnings, and its own tests pass', async () => {
  const checked = await reeve('check', '--strict', policy);
  assert.equal(checked.code, 0, checked.out + checked.err);
  const tested = await reeve('test', join(root, 'examples/three-roles/tests.yaml'));
  assert.equal(tested.code, 0, tested.out + tested.err);
  assert.match(tested.out.trim().split('\n').at(-1), /^15 passed, 0 failed$/);
});
