// deploy/fleet as a newcomer runs it: it shows a shared cap that is kept, and leaves nothing
// behind.
import {join} from 'node:path';
import test from 'node:test';

import {assert, binary, root, run} from './wire.mjs';

test('deploy/fleet shows three sidecars that share a cap', {timeout: 240_000}, async () => {
  const shown =
      await run(join(root, 'deploy/fleet'), [], {env: {REEVE_BINARY: binary}, ms: 200_000});
  assert.equal(shown.code, 0, shown.out + shown.err);
  assert.match(shown.out, /Three sidecars, one cap of 1\.00 USD/);
  assert.match(shown.out, /three: 10 calls answered 402/);
});
