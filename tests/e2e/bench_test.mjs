// bench/proxy still runs: every part once and briefly, every row measured or skipped with a reason.
// What it measures here says nothing.
import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';

import {assert, binary, root, run, sanitized, scenario} from './lib.mjs';

scenario('bench/proxy --quick measures every row', async (s) => {
  const file = join(s.folder(), 'figures.json');
  const {code, out, err} = await run(
      join(root, 'bench/proxy'), ['--quick', '--json', file],
      {env: {REEVE_BUILD: dirname(binary)}, ms: 240_000});
  assert.equal(code, 0, `${out}\n${err}`);
  const {figures, skipped} = JSON.parse(readFileSync(file, 'utf8'));
  const rows = [...Object.keys(figures), ...Object.keys(skipped)];
  assert.equal(new Set(rows).size, 15);
  for (const name of rows) assert.ok(out.includes(`\n${name} `), name);
  for (const [name, value] of Object.entries(figures)) assert.ok(Number.isFinite(value), name);
  for (const [name, why] of Object.entries(skipped)) {
    assert.match(why, /not yet supported|not installed|too few calls|from noise/, name);
  }
}, {skip: sanitized});
