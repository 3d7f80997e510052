// What one agent was given by a server is nothing to another: sessions, cursors of lists, ids of
// events. Each case says what reached the server.
import {agentEntry, allowAll, assert, policyOf, scenario, until} from './lib.mjs';
import {shiftingOrigin, tool} from './shifting_origin.mjs';

const jordan = agentEntry('jordan'), robin = agentEntry('robin');
const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': {name: 'raw', version: '1'},
  'io.modelcontextprotocol/clientCapabilities': {}
};

async function start(s, url) {
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan, robin], allowAll('crm')), upstreams: {crm: {mcp: url}}});
  const post = (agent, message, headers = {}) =>
      sidecar.rpc('/crm', {jsonrpc: '2.0', id: 7, ...message}, {token: agent.token, headers});
  // The headers of a new session.
  const open = async (agent) => {
    const answer = await post(agent, {
      method: 'initialize',
      params:
          {protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {name: 'raw', version: '1'}}
    });
    assert.equal(answer.status, 200, answer.body);
    const headers = {
      'Mcp-Session-Id': answer.headers['mcp-session-id'],
      'MCP-Protocol-Version': '2025-11-25'
    };
    await post(agent, {id: undefined, method: 'notifications/initialized'}, headers);
    return headers;
  };
  return {sidecar, post, open};
}

for (const era of ['legacy', 'modern']) {
  scenario(`a cursor, ${era}`, async (s) => {
    const crm = await shiftingOrigin(
        s, ['a', 'b', 'c'].map((name) => tool(name)), {sdk: era === 'legacy' ? '1.32' : '2.4'});
    crm.perPage = 2;
    const {sidecar, post, open} = await start(s, crm.url);
    const list = async (agent, params, session) => {
      const modern = {'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/list'};
      const message = {
        method: 'tools/list',
        params: era === 'modern' ? {...params, _meta: meta} : params
      };
      return (await post(agent, message, session ?? modern)).json;
    };
    const own = era === 'legacy' ? await open(jordan) : undefined;
    const others = era === 'legacy' ? await open(robin) : undefined;
    const {nextCursor: cursor} = (await list(jordan, {}, own)).result;
    assert.equal(cursor, '2');

    const asked = crm.asked.length;
    const stolen = await list(robin, {cursor}, others);
    assert.deepEqual(stolen.error, {code: -32602, message: 'Invalid cursor'});
    assert.equal(stolen.id, 7);
    assert.ok((await list(robin, {Cursor: cursor}, others)).error);
    assert.ok((await list(robin, {Cursor: cursor, cursor: '0'}, others)).error);
    assert.equal(crm.asked.length, asked, 'nothing reached the server');
    const [{decision}] = await sidecar.records({agent: 'robin', reason: 'session'});
    assert.equal(decision.decision, 'deny');

    const rest = (await list(jordan, {cursor}, own)).result;
    assert.deepEqual(rest.tools.map((each) => each.name), ['c'], 'it is its own');
    // A server may give two agents the same one.
    assert.equal((await list(robin, {}, others)).result.nextCursor, cursor);
    assert.equal((await list(robin, {cursor}, others)).result.tools.length, 1);
  });
}

// A server of sessions with a stream each, whose events have ids, and that replays any stream to
// whoever names an event of it: as servers do that look at the id alone.
async function replaying(s) {
  let sessions = 0;
  const gets = [], methods = [];
  const handler = async (request, response) => {
    methods.push(request.method);
    const session = request.headers['mcp-session-id'];
    if (request.method === 'DELETE') return response.writeHead(204).end();
    if (request.method === 'GET') {
      const last = request.headers['last-event-id'];
      gets.push(last ?? null);
      response.writeHead(200, {'Content-Type': 'text/event-stream'});
      const of = last ? last.split('-')[0] : session;
      const at = last ? Number(last.split('-')[1]) + 1 : 1;
      const data = {
        jsonrpc: '2.0',
        method: 'notifications/message',
        params: {level: 'info', data: `of ${of}`}
      };
      response.write(`id: ${of}-${at}\ndata: ${JSON.stringify(data)}\n\n`);
      return;
    }
    let body = '';
    for await (const data of request) body += data;
    const {id, method} = JSON.parse(body);
    if (id === undefined) return response.writeHead(202).end();
    const headers = {'Content-Type': 'application/json'};
    if (method === 'initialize') headers['Mcp-Session-Id'] = `s${++sessions}`;
    response.writeHead(200, headers).end(JSON.stringify({
      jsonrpc: '2.0',
      id,
      result:
          {protocolVersion: '2025-11-25', capabilities: {}, serverInfo: {name: 'x', version: '1'}}
    }));
  };
  const origin = await s.origin(Object.assign(handler, {streams: true}));
  return {url: origin.url('/mcp'), gets, methods};
}

scenario('an event, and the session it is of', async (s) => {
  const crm = await replaying(s);
  const {sidecar, open} = await start(s, crm.url);
  const get = (agent, headers, more = []) => sidecar.call('GET', '/crm', {
    token: agent.token,
    stream: true,
    headers: [['Accept', 'text/event-stream'], ...Object.entries(headers), ...more]
  });
  // The first event of a stream that is then left.
  const read = async ({response, status}, text) => {
    assert.equal(status, 200);
    let seen = '';
    response.on('data', (data) => {
      seen += data;
    });
    await until(() => seen.includes(text), text);
    response.destroy();
    return seen;
  };
  const own = await open(jordan), others = await open(robin);
  assert.match(await read(await get(jordan, own), 'of s1'), /id: s1-1\n/);

  const reached = crm.methods.length;
  const refused = [
    [await get(robin, own), 404],                                   // another's session
    [await get(robin, {...others, 'Last-Event-ID': 's1-1'}), 404],  // another's event
    [await get(robin, others, [['Last-Event-ID', 's2-1'], ['Last-Event-ID', 's1-1']]), 400],
    [await sidecar.call('DELETE', '/crm', {token: robin.token, headers: own}), 404],
    [
      await sidecar.rpc(
          '/crm', {jsonrpc: '2.0', id: 1, method: 'ping'}, {token: robin.token, headers: own}),
      404
    ],
  ];
  for (const [answer, status] of refused) {
    assert.equal(answer.status, status);
    answer.response?.destroy();
  }
  assert.equal(crm.methods.length, reached, 'nothing reached the server');
  assert.match(
      await read(await get(jordan, {...own, 'Last-Event-ID': 's1-1'}), 'of s1'), /id: s1-2\n/);
  assert.deepEqual(crm.gets, [null, 's1-1'], 'as it was issued');
  assert.match(await read(await get(robin, others), 'of s2'), /id: s2-1\n/);
});
