// Upstreams with several addresses: which one a call goes to, when it goes to another, what is
// never sent twice, and how names that change are followed. Real servers on 127.0.0.1 to 127.0.0.4.
import {agentEntry, allowAll, assert, call, policyOf, scenario, until} from './lib.mjs';
import {budget, canFakeNames, deafAt, Names, okAnswer, portOn, rawServerAt, serverAt, shown, start, stateOf} from './upstreams.mjs';

const statuses = (answers) => answers.map(({status}) => status);

scenario('calls go round the addresses, each with the Host of its URL', async (s) => {
  const hosts = [];
  const handler = (request, response) => {
    hosts.push(request.headers.host);
    response.end('ok');
  };
  const one = await serverAt(s, '127.0.0.2', 0, handler);
  const two = await serverAt(s, '127.0.0.3', 0, handler);
  const {sidecar, get} = await start(s, {http: [one.url('/base'), two.url('/base')]});
  for (let i = 0; i < 6; ++i) assert.equal((await get()).status, 200);
  assert.deepEqual([one.seen.length, two.seen.length], [3, 3]);
  assert.equal(one.seen[0], 'GET /base/x');
  assert.deepEqual(new Set(hosts), new Set([`127.0.0.2:${one.port}`, `127.0.0.3:${two.port}`]));
  await until(
      async () => (await shown(sidecar)).addresses.every(({idle}) => idle === 1),
      'a kept connection to each');
  const {up, addresses, in_use: inUse} = await shown(sidecar);
  assert.deepEqual(
      [up, inUse, addresses.map(({state, open, idle}) => [state, open, idle])],
      [true, 0, [['up', 1, 1], ['up', 1, 1]]]);
  const records = await sidecar.records({}, 6);
  assert.ok(records.every(({outcome}) => outcome.tries === undefined));
});

scenario('an address that refuses costs no call, and is paid for once', async (s) => {
  const port = await portOn(['127.0.0.2']);
  const good = await serverAt(s, '127.0.0.3');
  const {sidecar, get, post} = await start(s, {http: [`http://127.0.0.2:${port}`, good.url()]});
  assert.deepEqual(
      statuses([await post(), await post(), await get(), await get()]), [200, 200, 200, 200]);
  assert.equal(good.seen.length, 4);
  const records = await sidecar.records({}, 4);
  assert.deepEqual(
      records.map(({outcome}) => outcome.tries), [2, undefined, undefined, undefined],
      'only the first call met it');
  await until(async () => await stateOf(sidecar, '127.0.0.2') === 'ejected', 'the ejection');
  const bad = (await shown(sidecar)).addresses[0];
  assert.match(bad.last_error, /^connect: Connection refused/);
  assert.deepEqual([bad.failures, bad.ejections, bad.open], [1, 1, 0]);
  assert.ok(Date.parse(bad.ejected_until) - Date.parse(bad.last_error_at) >= 999);
  assert.equal(await sidecar.metric('reeve_upstream_up', {upstream: 'api'}), 1);
  const spent = await budget(sidecar);
  assert.deepEqual([Math.round(spent.used * 100), spent.reserved], [40, 0]);
});

scenario(
    'an address that does not answer a SYN takes its share of the time, no more', async (s) => {
      const deaf = await deafAt(s, '127.0.0.2');
      const good = await serverAt(s, '127.0.0.3');
      const upstream = {http: [deaf.url(), good.url()], connect_timeout: '600ms', timeout: '20s'};
      const {sidecar, post} = await start(s, upstream);
      assert.equal((await post()).status, 200);
      const [{outcome}] = await sidecar.records({});
      assert.equal(outcome.tries, 2);
      assert.equal(good.seen.length, 1);
      // Alone, it is a time that is over, and costs nothing.
      const alone = await start(s, {http: deaf.url(), connect_timeout: '200ms', timeout: '20s'});
      const late = await alone.post();
      assert.deepEqual([late.status, late.json.decision], [504, 'allow']);
      const [record] = await alone.sidecar.records({});
      assert.deepEqual([record.outcome.error, record.outcome.cost], ['timeout', 0]);
      await until(async () => !(await shown(alone.sidecar)).up, 'the upstream is down');
      assert.equal(await alone.sidecar.metric('reeve_upstream_up', {upstream: 'api'}), 0);
      assert.equal((await call(alone.sidecar.adminPort, 'GET', '/readyz')).status, 200);
    });

scenario('what was sent and broke off is sent again only where that does no harm', async (s) => {
  const bad = await rawServerAt(s, '127.0.0.2', (socket) => socket.destroy());
  const good = await serverAt(s, '127.0.0.3');
  const {sidecar, get, post, token} = await start(s, {http: [bad.url(), good.url()]});
  const lost = await post('/api/post');  // the first goes to the first address
  assert.equal(lost.status, 502);
  assert.deepEqual(bad.heads.map(({line}) => line), ['POST /post HTTP/1.1']);
  assert.deepEqual(good.seen, []);
  const [{outcome}] = await sidecar.records({target: '/post'});
  assert.deepEqual(
      [outcome.error, outcome.cost, outcome.tries], ['closed', 0.1, undefined], 'charged once');
  assert.equal((await get('/api/good')).status, 200);
  assert.equal((await get('/api/get')).status, 200);
  assert.equal(bad.heads.at(-1).line, 'GET /get HTTP/1.1');
  assert.deepEqual(good.seen, ['GET /good', 'GET /get']);
  const [again] = await sidecar.records({target: '/get'});
  assert.deepEqual([again.outcome.tries, again.outcome.cost], [2, 0.1]);
  // Once more, and not again: here both break off.
  await good.close();
  const worse = await rawServerAt(s, '127.0.0.4', (socket) => socket.destroy());
  const both = await start(s, {http: [bad.url(), worse.url()]});
  bad.heads.length = 0;
  assert.equal((await both.get()).status, 502);
  assert.deepEqual([bad.heads.length, worse.heads.length], [1, 1]);
  // A body that streams is not there any more.
  const stream = await call(
      both.sidecar.port, 'PUT', '/api/stream',
      {token: both.token, headers: {'Transfer-Encoding': 'chunked'}, body: 'once'});
  assert.equal(stream.status, 502);
  const puts = [...bad.heads, ...worse.heads].filter(({line}) => line.startsWith('PUT'));
  assert.equal(puts.length, 1);
  assert.ok(token);
});

scenario('an address that resets at once loses no GET and doubles no POST', async (s) => {
  const received = [];
  const bad = await rawServerAt(
      s, '127.0.0.2', (socket, {line}) => received.push(line),
      (socket) => socket.resetAndDestroy());
  const good = await serverAt(s, '127.0.0.3');
  const {get, post} = await start(s, {http: [bad.url(), good.url()]});
  const posts = [];
  for (let i = 0; i < 30; ++i) {
    assert.equal((await get(`/api/get${i}`)).status, 200);
    posts.push((await post(`/api/post${i}`)).status);
  }
  assert.ok(posts.every((status) => status === 200 || status === 502), posts.join());
  const all = [...received, ...good.seen].filter((line) => line.startsWith('POST'));
  assert.equal(new Set(all).size, all.length, 'no POST came twice');
});

scenario(
    'an address that answers 503 is left out, tried by one call, and comes back', async (s) => {
      let sick = true;
      const ill = await serverAt(s, '127.0.0.2', 0, (request, response) => {
        response.statusCode = sick ? 503 : 200;
        response.end('ill');
      });
      const good = await serverAt(s, '127.0.0.3');
      const {sidecar, get} = await start(s, {http: [ill.url(), good.url()]});
      const answers = [];
      for (let i = 0; i < 6; ++i) answers.push((await get()).status);
      assert.equal(answers.filter((status) => status === 503).length, 3, 'passed on as they are');
      await until(async () => await stateOf(sidecar, '127.0.0.2') === 'ejected', 'the ejection');
      const before = Date.now();
      for (let i = 0; i < 20; ++i) await get();
      if (Date.now() - before < 500)
        assert.equal(ill.seen.length, 3, 'nothing goes there meanwhile');
      // After a second one call tries it, in vain, and the next later still.
      await until(async () => {
        await get();
        return ill.seen.length > 3;
      }, 'the probe');
      await until(
          async () => (await shown(sidecar)).addresses[0].ejections === 2, 'another ejection');
      assert.match((await shown(sidecar)).addresses[0].last_error, /^gateway: answered 503/);
      sick = false;
      await until(async () => {
        const {body} = await get();
        return body === 'ill';
      }, 'an answer from the address that was ill');
      await until(async () => await stateOf(sidecar, '127.0.0.2') === 'up', 'it is up');
      const seen = ill.seen.length;
      for (let i = 0; i < 4; ++i) await get();
      assert.equal(ill.seen.length, seen + 2, 'it has its turn again');
    });

scenario('a session of MCP stays with the server that began it', async (s) => {
  const jordan = agentEntry('jordan');
  const [one, two] = await Promise.all([s.everything(), s.everything()]);
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allowAll('api')),
    upstreams: {api: {mcp: [one.url, two.url]}},
    config: {threads: 2}
  });
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params:
        {protocolVersion: '2025-06-18', capabilities: {}, clientInfo: {name: 'test', version: '1'}}
  };
  for (let i = 0; i < 4; ++i) {
    const {token} = jordan;
    const begun = await sidecar.rpc('/api', initialize, {token});
    assert.equal(begun.status, 200, begun.body);
    const headers = {'Mcp-Session-Id': begun.headers['mcp-session-id']};
    assert.ok(headers['Mcp-Session-Id']);
    await sidecar.rpc(
        '/api', {jsonrpc: '2.0', method: 'notifications/initialized'}, {token, headers});
    for (let id = 2; id < 8; ++id) {
      const list = await sidecar.rpc(
          '/api', {jsonrpc: '2.0', id, method: 'tools/list', params: {}}, {token, headers});
      assert.ok(list.json?.result?.tools.length > 0, `${list.status} ${list.body}`);
    }
  }
});

scenario('names are looked up anew, and the answer followed', async (s) => {
  const port = await portOn(['127.0.0.2', '127.0.0.3', '127.0.0.4']);
  const [one, two] = [await serverAt(s, '127.0.0.2', port), await serverAt(s, '127.0.0.3', port)];
  const names = new Names(s);
  names.set({'crm.test': ['127.0.0.2']});
  const {sidecar, get, post} =
      await start(s, {http: `http://crm.test:${port}`}, {under: names.under});
  assert.equal((await get()).body, '127.0.0.2');
  let closed = false;
  names.set({'crm.test': ['127.0.0.3']});
  await until(async () => {
    const answer = await get();
    assert.equal(answer.status, 200);
    return answer.body === '127.0.0.3';
  }, 'an answer from the new address');
  await until(async () => {
    one.server.getConnections((_, count) => closed = count === 0);
    return closed;
  }, 'the end of the kept connection to the old address');
  const seen = one.seen.length;
  for (let i = 0; i < 3; ++i) assert.equal((await get()).body, '127.0.0.3');
  assert.equal(one.seen.length, seen);
  const {hosts} = await until(async () => {
    const now = await shown(sidecar);
    return now.addresses.map(({address}) => address).join() === `127.0.0.3:${port}` && now;
  }, 'the new address is shown');
  assert.deepEqual([hosts[0].host, hosts[0].error], ['crm.test', undefined]);

  // The server moves, and the very call that finds it gone is answered from where it is now.
  const looked = Date.parse(hosts[0].looked_up);
  await until(() => Date.now() - looked > 1200, 'the name may be looked up again');
  const three = await serverAt(s, '127.0.0.4', port);
  names.set({'crm.test': ['127.0.0.4']});
  await two.close();
  const moved = await post('/api/moved');
  assert.deepEqual([moved.status, moved.body], [200, '127.0.0.4']);
  assert.deepEqual(three.seen, ['POST /moved']);
  const [{outcome}] = await sidecar.records({target: '/moved'});
  assert.equal(outcome.tries, 2);

  // A name that is gone leaves the last answer in use.
  names.set({});
  await until(async () => {
    assert.equal((await get()).status, 200);
    return (await shown(sidecar)).hosts[0].error;
  }, 'a look-up that failed');
  assert.deepEqual([(await get()).status, (await shown(sidecar)).up], [200, true]);
}, {skip: !canFakeNames});

scenario('what a name may not be', async (s) => {
  const names = new Names(s);
  names.set({'crm.test': ['169.254.169.254', '224.0.0.1']});
  const {sidecar, get} = await start(s, {http: 'http://crm.test'}, {under: names.under});
  const answer = await get();
  assert.deepEqual([answer.status, answer.json.decision], [502, 'allow']);
  const [{outcome}] = await sidecar.records({});
  assert.deepEqual([outcome.error, outcome.cost, outcome.tries], ['connect', 0, undefined]);
  await until(async () => !(await shown(sidecar)).up, 'the upstream is down');
  assert.match((await shown(sidecar)).hosts[0].error, /link-local .*dial.allow/);
  // One good address among others is used, the others are not.
  const good = await serverAt(s, '127.0.0.2');
  const mixed = new Names(s);
  mixed.set({'crm.test': ['169.254.169.254', '127.0.0.2']});
  const both = await start(s, {http: `http://crm.test:${good.port}`}, {under: mixed.under});
  for (let i = 0; i < 4; ++i) assert.equal((await both.get()).status, 200);
  const addresses = await until(async () => {
    const now = (await shown(both.sidecar)).addresses;
    return now.length > 0 && now;
  }, 'the address is shown');
  assert.deepEqual(addresses.map(({address}) => address), [`127.0.0.2:${good.port}`]);
}, {skip: !canFakeNames});

scenario('a kept connection that closes just then', async (s) => {
  const server = await rawServerAt(s, '127.0.0.2', (socket, {nth}) => {
    if (nth > 1) return socket.destroy();
    socket.write(okAnswer);
  });
  const {get, post} = await start(s, {http: server.url()});
  assert.equal((await get()).status, 200);
  assert.equal((await get('/api/again')).status, 200, 'sent once more over a new one');
  assert.deepEqual(
      server.heads.map(({line, nth}) => [line.split(' ')[1], nth]),
      [['/x', 1], ['/again', 2], ['/again', 1]]);
  assert.equal((await post('/api/post')).status, 502);
  assert.equal(server.heads.filter(({line}) => line.startsWith('POST')).length, 1);
});
