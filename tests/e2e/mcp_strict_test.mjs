// What two readers could take in two ways does not reach a server; what does arrives byte for byte.
// Each case says what reached it. mcp_test has the plain cases, this has the odd ones.
import {agentEntry, assert, policyOf, scenario} from './lib.mjs';

const jordan = agentEntry('jordan');
const rules = `    allow:
      - {id: pay, upstream: crm, tools: pay, when: {args.amount: {above: 0, max: 500}}}
      - {id: note, upstream: crm, tools: note}
    deny:
      - {id: no-drop, upstream: crm, tools: drop}
`;
const json = {
  'Content-Type': 'application/json',
  'Accept': 'application/json, text/event-stream'
};

async function start(s, {config} = {}) {
  const origin = await s.origin((request, response, {body}) => {
    let id = null;
    try {
      id = JSON.parse(body).id ?? null;
    } catch { /* whatever it is */
    }
    response.writeHead(200, {'Content-Type': 'application/json'});
    response.end(JSON.stringify({jsonrpc: '2.0', id, result: {content: []}}));
  });
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan], rules), upstreams: {crm: {mcp: origin.url('/mcp')}}, config});
  const send = (body, headers = {}) =>
      sidecar.call('POST', '/crm', {token: jordan.token, body, headers: {...json, ...headers}});
  return {origin, sidecar, send};
}

const call = (params, id = '7') =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":${params}}`;

scenario('keys, texts and encodings that readers differ on', async (s) => {
  const {origin, sidecar, send} = await start(s);
  const note = '{"name":"note","arguments":{"text":"x"}}';
  const pay = '{"name":"pay","arguments":{"amount":1}}';
  const cases = [
    ['method in capitals beside it', call(note).replace('"method"', '"METHOD":"x","method"')],
    ['U+017F for an s', call(note).replace('"params"', '"param\u017f":{},"params"')],
    ['U+017F, escaped', call(note).replace('"params"', '"param\\u017f":{},"params"')],
    ['U+212A for a k', call('{"name":"note","ta\u017f\u212a":{},"arguments":{}}')],
    [
      'a variant beside an argument that a rule reads',
      call(pay.replace('{"amount"', '{"Amount":999,"amount"'))
    ],
    ['a variant alone of one', call(pay.replace('"amount"', '"AMOUNT"'))],
    ['an unpaired surrogate', call(note.replace('"x"', '"\\ud800"'))],
    ['an unpaired surrogate in a name', call(note.replace('note', 'note\\udc00'))],
    ['NUL in a name', call(note.replace('note', 'note\\u0000'))],
    ['a line end in a name', call(note.replace('note', 'note\\n'))],
    ['UTF-16', Buffer.from(call(note), 'utf16le')],
    ['bytes after it', `${call(note)}x`],
    ['a batch of one', `[${call(note)}]`],
    ['an empty batch', '[]'],
    ['a key twice in _meta', call(note.replace('{', '{"_meta":{"a":1,"\\u0061":2},'))],
    ['arguments that are no object', call('{"name":"note","arguments":[]}')],
    ['an id in a list', call(note, '[7]')],
    ['an id -0', call(note, '-0')],
    ['an id 1e2', call(note, '1e2')],
    ['an id below -(2^53-1)', call(note, '-9007199254740992')],
    ['a notification with an id', call(note).replace('tools/call', 'notifications/initialized')],
    ['a call without an id', call(note).replace('"id":7,', '')],
  ];
  for (const [name, body] of cases) {
    const answer = await send(body);
    const refused = answer.status === 400 || answer.json?.result?.isError;
    assert.ok(refused, `${name}: ${answer.status} ${answer.body}`);
  }
  for (const headers
           of [{'Content-Type': 'application/x-www-form-urlencoded'},
               {'Content-Type': 'multipart/form-data'},
               {'Content-Type': 'text/plain;application/json'}, {'Content-Encoding': 'identity'},
               {'Content-Encoding': 'br'}]) {
    assert.equal((await send(call(note), headers)).status, 415, JSON.stringify(headers));
  }
  assert.equal(origin.requests.length, 0);
  // Each has its lines, the malformed ones too.
  await sidecar.records({agent: 'jordan'}, cases.length + 5);
});

scenario('names are compared as they are, after their escapes', async (s) => {
  const {origin, send} = await start(s);
  for (const name
           of ['drop', '\\u0064rop', 'dro\\u0070', 'Drop', 'DROP', 'drop ', ' note', 'note ',
               'Note', '\uff4eote', 'no\u0301te', 'note\u200b', 'n\u043ete']) {
    const answer = await send(call(`{"name":"${name}","arguments":{}}`));
    assert.equal(answer.json.result.isError, true, name);
  }
  assert.equal(origin.requests.length, 0);
  const escaped = call('{"n\\u0061me":"\\u006eote","arguments":{"\\u0061":"\\u0000"}}');
  assert.equal((await send(escaped)).status, 200);
  assert.equal(origin.requests[0].body, escaped);
  for (const method of ['tools/Call', 'tools/call ', 'TOOLS/CALL', 'tools//call', 'x/unknown']) {
    const answer = await send(call('{"name":"note"}').replace('tools/call', method));
    assert.equal(answer.json.error.code, -32601, method);
  }
  assert.equal(origin.requests.length, 1);
});

scenario(
    'numbers keep their digits and are compared by them; ids come back as they were', async (s) => {
      const {origin, send} = await start(s);
      const pay = (amount) => call(`{"name":"pay","arguments":{"amount":${amount}}}`);
      for (const amount
               of ['500.00000000000000000001', '1e400', '-1e400', '0', '-0.0', '501', '5e2000',
                   '"1"', '[1,501]', '[]', '{}', 'null', 'true']) {
        const answer = await send(pay(amount));
        assert.equal(answer.json.result.isError, true, amount);
      }
      assert.equal(origin.requests.length, 0);
      const good = [
        '500', '500.000', '5e2', '0.000000000000000000000000000001', '499.9999999999999999999999'
      ];
      for (const amount of good) {
        assert.equal((await send(pay(amount))).json.result.isError, undefined, amount);
        assert.equal(origin.requests.at(-1).body, pay(amount));
      }
      const ids = ['0', '""', '"7"', '-1', '9007199254740991', '"\\u00e9 \\"x"'];
      for (const id of ids) {
        const body = call('{"name":"note","arguments":{"n":12345678901234567890.10}}', id);
        const answer = await send(body);
        assert.equal(answer.json.id, JSON.parse(id), id);
        assert.equal(origin.requests.at(-1).body, body);
        const denied = await send(call('{"name":"drop"}', id));
        assert.ok(denied.body.includes(`"id":${id}`), `${id}: ${denied.body}`);
      }
      assert.equal(origin.requests.length, good.length + ids.length);
    });

scenario('sizes, mirrored fields, and what of an agent stays here', async (s) => {
  const {origin, sidecar, send} =
      await start(s, {config: {limits: {drain: '2s', body_bytes: '64KB'}}});
  const large = await send(call(`{"name":"note","arguments":{"text":"${'x'.repeat(70_000)}"}}`));
  assert.equal(large.status, 413);
  const meta = '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}';
  const modern = call(`{"name":"note",${meta}}`);
  const fields = (more) => sidecar.call('POST', '/crm', {
    token: jordan.token,
    body: modern,
    headers: [...Object.entries(json), ['MCP-Protocol-Version', '2026-07-28'], ...more]
  });
  const method = ['Mcp-Method', 'tools/call'], name = ['Mcp-Name', 'note'];
  for (const more
           of [[], [method], [name], [method, method, name], [method, name, name],
               [method, ['Mcp-Name', 'NOTE']], [method, ['Mcp-Name', '=?base64?bm90ZQ?=']],
               [['Mcp-Method', 'Tools/call'], name],
               [method, name, ['MCP-Protocol-Version', '2026-07-28']],
               [method, name, ['Mcp-Param-A', '1'], ['mcp-param-a', '2']]]) {
    const answer = await fields(more);
    assert.equal(answer.status, 400, JSON.stringify(more));
    assert.equal(answer.json.error.code, -32020, JSON.stringify(more));
  }
  // Origin and Host come before anything else, whatever is asked.
  for (const verb of ['POST', 'GET', 'DELETE', 'OPTIONS']) {
    for (const foreign
             of ['http://evil.example', 'null', `http://localhost.evil.example:${sidecar.port}`]) {
      const answer = await sidecar.call(
          verb, '/crm',
          {token: jordan.token, headers: {Accept: 'text/event-stream', Origin: foreign}});
      assert.equal(answer.status, 403, `${verb} ${foreign}`);
    }
  }
  assert.equal(origin.requests.length, 0);
  const passed = await fields([
    method, ['Mcp-Name', '=?base64?bm90ZQ==?='], ['Cookie', 'a=b'], ['X-Forwarded-For', '10.0.0.1'],
    ['Forwarded', 'for=10.0.0.1']
  ]);
  assert.equal(passed.status, 200, passed.body);
  const [{headers, body}] = origin.requests;
  assert.equal(body, modern);
  for (const field of ['authorization', 'cookie', 'x-forwarded-for', 'forwarded']) {
    assert.equal(headers[field], undefined, field);
  }
});

scenario('a redirect is an answer, and nobody goes there', async (s) => {
  const elsewhere = await s.origin();
  const origin = await s.origin((request, response) => {
    response.writeHead(307, {Location: elsewhere.url('/mcp')}).end();
  });
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan], rules), upstreams: {crm: {mcp: origin.url('/mcp')}}});
  const answer = await sidecar.call(
      'POST', '/crm', {token: jordan.token, body: call('{"name":"note"}'), headers: json});
  assert.ok(answer.status === 307 || answer.status === 502, answer.body);
  assert.equal(origin.requests.length, 1);
  assert.equal(elsewhere.requests.length, 0);
});
