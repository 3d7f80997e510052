// Retries with one Idempotency-Key count once, on upstreams that honour keys; what is no retry is
// charged or refused.
import http from 'node:http';

import {admin} from './approvals.mjs';
import {agentEntry, assert, call, policyOf, scenario, until, within} from './lib.mjs';

const jordan = agentEntry('jordan');
const robin = agentEntry('robin');
const policy = (limit = 100) =>
    policyOf([jordan, robin], '    allow:\n      - {upstream: "*"}\n', `prices:
  - {upstream: "*", http: "* /buy/**", cost: 1 USD}
budgets:
  money: {for: everyone, limit: ${limit} USD per year}
  calls: {for: everyone, limit: ${limit} calls per year}
`);

// An upstream that makes each call once, by its key, and answers as the first time.
function honouring(handler = () => 201) {
  const made = new Map();
  const answer = (request, response, entry) => {
    const key = request.headers['idempotency-key'];
    if (!made.has(key)) made.set(key, {status: handler(entry), body: `made ${made.size + 1}`});
    const {status, body} = made.get(key);
    response.writeHead(status, {'Content-Type': 'text/plain'});
    response.end(body);
  };
  return {made, answer};
}

async function start(s, handler, {keys = '1h', limit, ...more} = {}) {
  const origin = await s.origin(handler);
  const sidecar = await s.sidecar({
    policy: policy(limit),
    upstreams: {api: {http: origin.url(), ...(keys && {idempotency_keys: keys})}},
    ...more
  });
  const buy =
      (key, {body = 'one', token = jordan.token, method = 'POST', path = '/api/buy/x'} = {}) =>
          call(sidecar.port, method, path, {
            token,
            body,
            headers:
                {'Content-Type': 'text/plain', ...(key !== undefined && {'Idempotency-Key': key})}
          });
  return {origin, sidecar, buy};
}

const used = (sidecar, wanted) => until(async () => {
  const {budgets} = JSON.parse((await admin(sidecar, 'GET', '/v1/budgets')).body);
  return budgets.every((each) => each.reserved === '0' && each.used === String(wanted));
}, `${wanted} used of both budgets`);

scenario(
    'a thousand retries with one key count once, and the key reaches the upstream', async (s) => {
      const {made, answer} = honouring();
      const {origin, sidecar, buy} = await start(s, answer, {limit: 2});
      const first = await buy('"k-1"');
      assert.equal(first.status, 201);
      for (let i = 0; i < 1000; i += 20) {
        const answers = await Promise.all(Array.from({length: 20}, () => buy('"k-1"')));
        for (const each of answers) assert.deepEqual([each.status, each.body], [201, first.body]);
      }
      assert.equal(origin.requests.length, 1001);
      assert.equal(made.size, 1);
      await used(sidecar, 1);
      const records = await sidecar.records({agent: 'jordan'}, 1001);
      const retries = records.filter(({decision}) => decision.retry);
      assert.equal(retries.length, 1000);
      assert.ok(retries.every(
          ({decision, outcome}) => decision.reserved === undefined && outcome.cost === undefined));
      assert.deepEqual([records[0].decision.retry, records[0].outcome.cost], [undefined, 1]);
      assert.equal(await sidecar.metric('reeve_spend_total', {agent: 'jordan'}), 1);
      // A new key is a new call, and the last that the budget has.
      assert.equal((await buy('k-2')).status, 201);
      assert.equal((await buy('k-3')).status, 402);
      assert.equal((await buy('k-2')).status, 201, 'a retry needs no money');
      await used(sidecar, 2);
    });

scenario('the same key with another call is refused; keys belong to their agent', async (s) => {
  const {answer} = honouring();
  const {origin, sidecar, buy} = await start(s, answer);
  assert.equal((await buy('k')).status, 201);
  for (const other
           of [{body: 'two'}, {path: '/api/buy/y'}, {path: '/api/buy/x?amount=9'},
               {method: 'PATCH'}]) {
    const refused = await buy('k', other);
    assert.equal(refused.status, 422, JSON.stringify(other));
    assert.match(refused.json.detail, /used for another call/);
    assert.equal(refused.json.decision, 'deny');
  }
  assert.equal(origin.requests.length, 1);
  const [record] = await sidecar.records({reason: 'retry'}, 4);
  assert.equal(record.decision.reserved, undefined);
  assert.equal((await buy('k', {token: robin.token})).status, 201);
  await used(sidecar, 2);
  for (const odd of ['', 'x'.repeat(256)]) assert.equal((await buy(odd)).status, 400);
  const twice = await call(sidecar.port, 'POST', '/api/buy/x', {
    token: jordan.token,
    body: 'one',
    headers: [['Idempotency-Key', 'a'], ['Idempotency-Key', 'b']]
  });
  assert.equal(twice.status, 400);
  await used(sidecar, 2);
});

scenario('two at once with one key: one goes out, the other is told to wait', async (s) => {
  let release;
  const {origin, sidecar, buy} = await start(s, (request, response) => {
    release = () => {
      response.writeHead(201);
      response.end('made');
    };
  });
  const first = buy('k');
  await until(() => release, 'the first to arrive');
  const second = await buy('k');
  assert.equal(second.status, 409);
  assert.equal(second.headers['retry-after'], '1');
  assert.equal((await buy('k', {body: 'two'})).status, 422);
  assert.equal(origin.requests.length, 1);
  release();
  assert.equal((await within(first, 'the answer')).status, 201);
  await used(sidecar, 1);
});

scenario('an attempt that never left, or was refused, leaves its key to the next', async (s) => {
  const {origin, sidecar, buy} = await start(s, honouring().answer, {limit: 1});
  const port = origin.port;
  await origin.close();
  origin.close = async () => {};
  assert.equal((await buy('k')).status, 502);
  await used(sidecar, 0);
  const again = await s.origin(honouring().answer);
  await again.close();
  again.close = async () => {};
  const server = http.createServer(honouring().answer);
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  s.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  await until(async () => (await buy('k')).status === 201, 'the upstream to be used again');
  await used(sidecar, 1);
  assert.equal((await buy('other')).status, 402);
  assert.equal((await buy('other', {body: 'two'})).status, 402, 'its key was not used up');
  assert.equal((await buy('k')).status, 201);
  await used(sidecar, 1);
});

scenario('an attempt whose outcome is not known is charged, and so is its key', async (s) => {
  let hangs = true;
  const {answer} = honouring();
  const {origin, sidecar, buy} = await start(s, (request, response, entry) => {
    if (hangs) return request.socket.destroy();
    answer(request, response, entry);
  });
  assert.equal((await buy('k')).status, 502);
  await used(sidecar, 1);
  hangs = false;
  assert.equal((await buy('k')).status, 201);
  await used(sidecar, 1);
  assert.equal(origin.requests.length, 2);
});

scenario(
    'without the promise of the upstream, and for other methods, each attempt counts',
    async (s) => {
      const plain = await start(s, undefined, {keys: null});
      for (let i = 0; i < 3; ++i) assert.equal((await plain.buy('k')).status, 200);
      await used(plain.sidecar, 3);
      const keyed = await start(s);
      for (let i = 0; i < 3; ++i) {
        assert.equal((await keyed.buy('k', {method: 'PUT'})).status, 200);
        assert.equal((await keyed.buy(undefined)).status, 200);
      }
      await used(keyed.sidecar, 6);
    });

scenario('a key is forgotten when the upstream may have forgotten it', async (s) => {
  const {sidecar, buy} = await start(s, undefined, {keys: '1s'});
  assert.equal((await buy('k')).status, 200);
  await until(async () => {
    await buy('k');
    const {budgets} = JSON.parse((await admin(sidecar, 'GET', '/v1/budgets')).body);
    return Number(budgets[0].used) > 1;
  }, 'another charge');
});
