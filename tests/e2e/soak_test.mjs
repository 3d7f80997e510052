// soak.mjs for a short while (two minutes with --long); by itself it runs for ten minutes.
import {join} from 'node:path';

import {assert, long, root, run, sanitized, scenario} from './lib.mjs';

const minutes = long ? 2 : 0.15;

scenario(`${minutes} minutes of everything at once`, async () => {
  const args = ['--minutes', String(minutes), '--rate', sanitized ? '60' : '200'];
  const {code, out, err} =
      await run(process.execPath, [join(root, 'tests/e2e/soak.mjs'), ...args], {ms: 240_000});
  console.log(`# ${out.trim()}`);
  assert.equal(code, 0, `${out}\n${err}`);
});
