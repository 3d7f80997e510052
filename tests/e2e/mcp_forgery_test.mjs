// Servers that answer what nobody asked, or another call, and clients that answer, cancel or ask
// for what is not theirs. Each case says what reached the other side.
import {agentEntry, allowAll, assert, policyOf, scenario, until} from './lib.mjs';
import {scripted, text, tool} from './scripted_mcp.mjs';

const jordan = agentEntry('jordan'), robin = agentEntry('robin');
const modernMeta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': {name: 'raw', version: '1'},
  'io.modelcontextprotocol/clientCapabilities': {}
};

async function start(s, answers, rules = allowAll('crm')) {
  const crm = await scripted(s, answers);
  const sidecar =
      await s.sidecar({policy: policyOf([jordan, robin], rules), upstreams: {crm: {mcp: crm.url}}});
  const post = (agent, message, headers = {}) =>
      sidecar.rpc('/crm', {jsonrpc: '2.0', ...message}, {token: agent.token, headers});
  // The headers of a new session.
  const open = async (agent) => {
    const answer = await post(agent, {
      id: 'begin',
      method: 'initialize',
      params:
          {protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {name: 'raw', version: '1'}}
    });
    assert.equal(answer.status, 200, answer.body);
    return {
      'Mcp-Session-Id': answer.headers['mcp-session-id'],
      'MCP-Protocol-Version': '2025-11-25'
    };
  };
  const modern = (agent, method, params, name) =>
      post(agent, {id: 7, method, params: {...params, _meta: modernMeta}}, {
        'MCP-Protocol-Version': '2026-07-28',
        'Mcp-Method': method,
        ...(name && {'Mcp-Name': name})
      });
  // A session's stream: what came on it, and what its server says there.
  const listen = async (agent, session) => {
    const {response, status} = await sidecar.call('GET', '/crm', {
      token: agent.token,
      stream: true,
      headers: [['Accept', 'text/event-stream'], ...Object.entries(session)]
    });
    assert.equal(status, 200);
    const stream = {seen: '', close: () => response.destroy()};
    response.on('error', () => {});
    response.on('data', (data) => {
      stream.seen += data;
    });
    const upstream = await until(() => crm.streams.at(-1), 'the stream at the server');
    stream.say = (message) => upstream.response.write(`data: ${JSON.stringify(message)}\n\n`);
    // What is said now is the last of what was said before.
    let marks = 0;
    stream.messages = async () => {
      const mark = `mark-${++marks}`;
      stream.say(
          {jsonrpc: '2.0', method: 'notifications/message', params: {level: 'info', data: mark}});
      await until(() => stream.seen.includes(mark), mark);
      return dataOf(stream.seen).filter((each) => !String(each.params?.data).startsWith('mark-'));
    };
    return stream;
  };
  const dropped = (kind) => sidecar.metric('reeve_mcp_dropped_total', {upstream: 'crm', kind});
  const reached = (method) => crm.messages(method).length;
  return {crm, sidecar, post, open, modern, listen, dropped, reached};
}

const dataOf = (body) => body.split('\n')
                             .filter((line) => line.startsWith('data: '))
                             .map((line) => JSON.parse(line.slice(6)));
const call = (id, name = 'run', more = {}) => ({id, method: 'tools/call', params: {name, ...more}});
const forged = (id) => ({jsonrpc: '2.0', id, result: text('forged')});
const progress = (progressToken) =>
    ({jsonrpc: '2.0', method: 'notifications/progress', params: {progressToken, progress: 1}});

scenario('of the answers on a call\'s stream one passes', async (s) => {
  const {post, open, sidecar, dropped} = await start(s, {
    'tools/call': ({id}, say) => {
      say(forged(99));
      say(forged(String(id)));
      say({jsonrpc: '2.0', result: text('forged')});
      say({jsonrpc: '2.0', id: null, error: {code: 1, message: 'forged'}});
      say({jsonrpc: '2.0', id, result: text('forged'), error: {code: 1, message: 'x'}});
      say({jsonrpc: '2.0', id, method: 'ping', result: text('forged')});
      say({jsonrpc: '2.0', id, Result: text('forged')});
      say({jsonrpc: '2.0', method: 'tools/call', params: {name: 'forged'}});
      say({jsonrpc: '2.0', id, result: text('real')});
      say(forged(id));
      return JSON.stringify({jsonrpc: '2.0', id, error: {code: 1, message: 'forged'}});
    }
  });
  const answer = await post(jordan, call(5), await open(jordan));
  assert.deepEqual(dataOf(answer.body), [{jsonrpc: '2.0', id: 5, result: text('real')}]);
  const [{outcome}] = await sidecar.records({agent: 'jordan', target: 'run'});
  assert.equal(outcome.dropped, 10);
  assert.equal(await dropped('answer'), 7);
  assert.equal(await dropped('request'), 1);
  assert.equal(await dropped('unreadable'), 2);
});

scenario('a JSON answer is the answer, or none', async (s) => {
  let says;
  const {post, open, crm} = await start(s, {'tools/call': ({id}) => says(id)});
  const session = await open(jordan);
  const refused = [
    () => JSON.stringify(forged(99)), () => JSON.stringify(forged('5')),
    () => JSON.stringify([forged(5)]), () => '{"jsonrpc":"2.0","id":5,"id":6,"result":{}}',
    (id) => JSON.stringify({jsonrpc: '2.0', id, method: 'ping'}), () => '{}', () => '"x"'
  ];
  for (says of refused) {
    const answer = await post(jordan, call(5), session);
    assert.equal(answer.status, 502, answer.body);
    assert.equal(answer.json.id, 5);
    assert.doesNotMatch(answer.body, /forged/);
  }
  says = (id) => `{ "jsonrpc":"2.0", "id":${id}, "result":{"content":[],"n":1.50} }`;
  assert.equal((await post(jordan, call(5), session)).body, says(5), 'byte for byte');
  assert.equal(crm.messages('tools/call').length, refused.length + 1);
});

scenario('an error that is not 200 is of its own call', async (s) => {
  const origin = await s.origin((request, response, {body}) => {
    const {id, method} = JSON.parse(body);
    if (method === 'prompts/get') return;  // stays under way
    response.writeHead(400, {'Content-Type': 'application/json'});
    response.end(JSON.stringify(
        {jsonrpc: '2.0', id: id === 1 ? 'server-error' : 6, error: {code: -1, message: 'no'}}));
  });
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan], allowAll('crm')), upstreams: {crm: {mcp: origin.url('/mcp')}}});
  const post = (message) =>
      sidecar.rpc('/crm', {jsonrpc: '2.0', ...message}, {token: jordan.token});
  const held = post({id: 6, method: 'prompts/get', params: {name: 'x'}}).catch(() => {});
  await until(() => origin.requests.length === 1, 'the call that is under way');
  assert.match((await post(call(1))).body, /server-error/, 'as some servers say it');
  const other = await post(call(5));
  assert.equal(other.status, 502);
  assert.equal(other.json.id, 5);
  await origin.close();
  await held;
});

scenario('a stream of a session has no answers but those that are open', async (s) => {
  const {crm, post, open, listen, dropped} = await start(s, {
    'tools/call': ({id}, say, response) => {
      say({jsonrpc: '2.0', method: 'notifications/message', params: {level: 'info', data: 'x'}});
      response.end();  // unanswered
    }
  });
  const session = await open(jordan);
  const stream = await listen(jordan, session);
  stream.say(forged(5));
  assert.deepEqual(await stream.messages(), []);
  await post(jordan, call(5), session);
  for (const id of [6, '5', 5, 5]) stream.say({jsonrpc: '2.0', id, result: text(`to ${id}`)});
  assert.deepEqual(await stream.messages(), [{jsonrpc: '2.0', id: 5, result: text('to 5')}]);
  assert.equal(await dropped('answer'), 4);

  // Another agent's request is nothing to this one's stream.
  const others = await open(robin);
  await post(robin, call(8), others);
  stream.say(forged(8));
  assert.equal((await stream.messages()).length, 1);
  assert.equal(crm.messages('tools/call').length, 2);
  stream.close();
});

scenario('a stream that is resumed repeats what was told, and answers no call', async (s) => {
  let finish;
  const {crm, post, open, listen, dropped} = await start(s, {
    'tools/call': ({id}, say, response) => {
      const answer = () => {
        say({jsonrpc: '2.0', id, result: text(`to ${id}`)});
        response.end();
      };
      if (id !== 9) return answer();
      say({jsonrpc: '2.0', method: 'notifications/message', params: {level: 'info', data: 'x'}});
      finish = answer;
    }
  });
  const session = await open(jordan);
  const first = await listen(jordan, session);
  crm.streams.at(-1).response.write('id: e1\ndata: {"jsonrpc":"2.0","method":"x/y"}\n\n');
  await until(() => first.seen.includes('id: e1') || dropped('request'), 'the event');
  first.close();
  await post(jordan, call(5), session);
  const streams = crm.streams.length;
  const under = post(jordan, call(9), session);
  under.catch(() => {});
  await until(() => finish, 'the call under way');
  const resumed = await listen(jordan, {...session, 'Last-Event-ID': 'e1'});
  await until(() => crm.streams.length > streams, 'the resumed stream');
  const before = await dropped('answer');
  for (const id of [5, 9]) resumed.say({jsonrpc: '2.0', id, result: text(`again ${id}`)});
  assert.deepEqual(await resumed.messages(), [{jsonrpc: '2.0', id: 5, result: text('again 5')}]);
  assert.equal(await dropped('answer'), before + 1);
  resumed.close();
  finish();
  assert.match((await under).body, /to 9/);
});

scenario('a client answers what was asked, once, and nothing else', async (s) => {
  const {crm, post, open, listen} = await start(s, {});
  const session = await open(jordan), others = await open(robin);
  const answersAt = () =>
      crm.requests.filter((each) => each.message?.result).map((each) => each.message.id);
  const answer = (agent, id, headers) => post(agent, {id, result: {roots: []}}, headers);
  assert.equal((await answer(jordan, 0, session)).status, 400, 'nothing was asked');
  const stream = await listen(jordan, session);
  stream.say({jsonrpc: '2.0', id: 0, method: 'roots/list'});
  stream.say({jsonrpc: '2.0', id: 'q', method: 'ping'});
  stream.say({jsonrpc: '2.0', id: 1.5, method: 'ping'});
  assert.deepEqual((await stream.messages()).map((each) => each.id), [0, 'q']);
  for (const [agent, id, headers] of [
           [robin, 0, others], [robin, 0, {}], [jordan, 0, {}], [jordan, 1, session],
           [jordan, '0', session]]) {
    const refused = await answer(agent, id, headers);
    assert.equal(refused.status, 400, refused.body);
    assert.equal(refused.json.error.code, -32600);
  }
  assert.deepEqual(answersAt(), []);
  assert.equal((await answer(jordan, 0, session)).status, 202);
  assert.equal((await answer(jordan, 0, session)).status, 400, 'it is answered');
  assert.equal(
      (await post(jordan, {id: 'q', error: {code: 1, message: 'no'}}, session)).status, 202);
  assert.deepEqual(answersAt(), [0]);
  stream.close();
});

scenario('only a request of the session is cancelled', async (s) => {
  const waiting = new Map();
  const {post, open, sidecar, crm} = await start(s, {
    'tools/call': ({id}, say, response) => {
      response.writeHead(200, {'Content-Type': 'text/event-stream'}).write(':\n\n');
      waiting.set(id, response);
    }
  });
  const session = await open(jordan), others = await open(robin), second = await open(jordan);
  const cancelled = () =>
      crm.messages('notifications/cancelled').map((each) => each.params.requestId);
  const cancel = async (agent, requestId, headers) => {
    const {status, body} =
        await post(agent, {method: 'notifications/cancelled', params: {requestId}}, headers);
    assert.deepEqual([status, body], [202, '']);
  };
  const running = post(jordan, call(5), session);
  await until(() => waiting.has(5), 'the call at the server');
  await cancel(robin, 5, others);
  await cancel(robin, 5, {});
  await cancel(jordan, 5, second);
  await cancel(jordan, '5', session);
  await cancel(jordan, 6, session);
  await post(
      robin, {method: 'notifications/cancelled', params: {requestId: 5, _meta: modernMeta}},
      {'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'notifications/cancelled'});
  assert.deepEqual(cancelled(), []);
  const refused =
      await sidecar.records({action: 'notifications/cancelled', reason: 'not-asked'}, 6);
  assert.ok(refused.every(({decision}) => decision.decision === 'deny'));
  await cancel(jordan, 5, session);
  assert.deepEqual(cancelled(), [5]);
  waiting.get(5).end(`data: ${JSON.stringify({jsonrpc: '2.0', id: 5, result: text('late')})}\n\n`);
  assert.match((await running).body, /late/);
  await cancel(jordan, 5, session);
  assert.deepEqual(cancelled(), [5], 'it has ended');
});

scenario('progress is told of what is under way, to whom asked for it', async (s) => {
  let ended;
  const {post, open, listen, dropped, reached} = await start(s, {
    'tools/call': ({id, params}, say, response) => {
      say(progress(params._meta?.progressToken ?? 'none'));
      say(progress('another'));
      say(progress(1));
      say({jsonrpc: '2.0', method: 'notifications/progress', params: {progress: 1}});
      ended = () => {
        say({jsonrpc: '2.0', id, result: text('done')});
        response.end();
      };
    }
  });
  const session = await open(jordan), others = await open(robin);
  const stream = await listen(jordan, session), theirs = await listen(robin, others);
  const running = post(jordan, call(5, 'run', {_meta: {progressToken: 0}}), session);
  await until(() => ended, 'the call at the server');
  stream.say(progress(0));
  stream.say(progress('0'));
  theirs.say(progress(0));
  assert.deepEqual(await stream.messages(), [progress(0)], 'a server may tell it there');
  assert.deepEqual(await theirs.messages(), []);
  ended();
  assert.deepEqual(
      dataOf((await running).body), [progress(0), {jsonrpc: '2.0', id: 5, result: text('done')}]);
  stream.say(progress(0));
  assert.equal((await stream.messages()).length, 1, 'it is over');
  assert.equal(await dropped('progress'), 6);
  assert.equal(reached('tools/call'), 1);
  stream.close();
  theirs.close();
});

scenario(
    'a server of the modern era asks nothing, and nothing answers a notification', async (s) => {
      const origin = await s.origin((request, response, {body}) => {
        const {id} = JSON.parse(body);
        if (id === undefined && /events/.test(body)) {
          response.writeHead(200, {'Content-Type': 'text/event-stream'});
          return response.end(`data: ${JSON.stringify(forged(7))}\n\n`);
        }
        if (id === undefined) {
          response.writeHead(200, {'Content-Type': 'application/json'});
          return response.end(JSON.stringify(forged(7)));
        }
        response.writeHead(200, {'Content-Type': 'text/event-stream'});
        response.write(
            `data: ${JSON.stringify({jsonrpc: '2.0', id: 1, method: 'roots/list'})}\n\n`);
        response.end(`data: ${JSON.stringify({jsonrpc: '2.0', id, result: text('real')})}\n\n`);
      });
      const sidecar = await s.sidecar({
        policy: policyOf([jordan], allowAll('crm')),
        upstreams: {crm: {mcp: origin.url('/mcp')}}
      });
      const post = (message, headers) =>
          sidecar.rpc('/crm', {jsonrpc: '2.0', ...message}, {token: jordan.token, headers});
      const answer = await post(
          {id: 7, method: 'tools/call', params: {name: 'run', _meta: modernMeta}},
          {'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call', 'Mcp-Name': 'run'});
      assert.deepEqual(dataOf(answer.body), [{jsonrpc: '2.0', id: 7, result: text('real')}]);
      for (const params of [{}, {events: true}]) {
        const told = await post({method: 'notifications/initialized', params});
        assert.deepEqual([told.status, told.body], [200, '']);
      }
    });

// Tasks and states.
const task = (taskId) =>
    ({taskId, status: 'working', createdAt: 'x', lastUpdatedAt: 'x', ttl: null});
const notFound = {
  code: -32602,
  message: 'Task not found'
};

scenario('a task of the legacy era is its agent\'s', async (s) => {
  let made = 0;
  const rules = '    allow:\n      - {upstream: crm, tools: [run, seen]}\n';
  const {post, open, listen, reached, crm} = await start(
      s, {
        'tools/call': () => ({task: task(`t${++made}`)}),
        'tasks/get': ({params}) => task(params.taskId),
        'tasks/result': ({params}) =>
            params.taskId === 't1' ? text('the result') : {tools: [tool('seen'), tool('unseen')]},
        'tasks/cancel': ({params}) => task(params.taskId),
        'tasks/list': () =>
            ({tasks: [task('t1'), task('t2'), task('of nobody')], nextCursor: 'more'})
      },
      rules);
  const session = await open(jordan), others = await open(robin);
  const create = {
    id: 1,
    method: 'tools/call',
    params: {name: 'run', task: {ttl: 1000}, _meta: {progressToken: 'p'}}
  };
  assert.equal((await post(jordan, create, session)).json.result.task.taskId, 't1');
  assert.equal((await post(robin, create, others)).json.result.task.taskId, 't2');
  const ask = async (agent, method, taskId, headers) =>
      (await post(agent, {id: 2, method, params: {taskId}}, headers)).json;
  for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
    assert.deepEqual((await ask(robin, method, 't1', others)).error, notFound, method);
    assert.equal(reached(method), 0, method);
    const {error, result} = await ask(jordan, method, 't1', session);
    assert.equal(error, undefined, method);
    assert.ok(result);
  }
  assert.deepEqual(
      (await post(
           robin, {
             id: 3,
             method: 'tools/call',
             params: {name: 'run', _meta: {'io.modelcontextprotocol/related-task': {taskId: 't1'}}}
           },
           others))
          .json.error,
      notFound);
  assert.equal(reached('tools/call'), 2);
  // What it came to is filtered as it would be without a task.
  assert.deepEqual(
      (await ask(robin, 'tasks/result', 't2', others)).result.tools.map((each) => each.name),
      ['seen']);
  const list = async (agent, headers) =>
      (await post(agent, {id: 4, method: 'tasks/list'}, headers)).json.result;
  const own = await list(jordan, session);
  assert.deepEqual(own.tasks.map((each) => each.taskId), ['t1']);
  assert.equal(own.nextCursor, 'more');
  assert.deepEqual((await list(robin, others)).tasks.map((each) => each.taskId), ['t2']);

  const stream = await listen(jordan, session);
  const status = (taskId) =>
      ({jsonrpc: '2.0', method: 'notifications/tasks/status', params: task(taskId)});
  for (const taskId of ['t1', 't2', 'of nobody']) stream.say(status(taskId));
  stream.say(progress('p'));
  assert.deepEqual(await stream.messages(), [status('t1'), progress('p')]);
  stream.close();
  // One that reeve has not seen begin, as after a restart, is the server's to know.
  assert.equal((await ask(jordan, 'tasks/get', 'before', session)).result.taskId, 'before');
  assert.deepEqual((await ask(robin, 'tasks/get', 'before', others)).error, notFound);
  assert.equal(crm.messages('tasks/get').length, 2);
});

scenario('a task, a state and a subscription of the modern era are their agent\'s', async (s) => {
  const rules = '    allow:\n      - {upstream: crm, tools: [run, seen], guards: [pii]}\n' +
      'guards:\n  pii: {patterns: [email], on: both, then: redact}\n';
  const {modern, reached, crm} = await start(
      s, {
        'tools/call': ({params}) => params.requestState ?
            text(`after ${params.requestState}`) :
            params.arguments ?
            {resultType: 'input_required', inputRequests: {}, requestState: ' st\u00e4te"1" '} :
            {resultType: 'task', ...task('t1')},
        'tasks/get': () => ({
          ...task('t1'),
          status: 'completed',
          resultType: 'complete',
          result: {...text('to jane@acme.example'), structuredContent: {to: 'jane@acme.example'}}
        }),
        'tasks/update': () => ({resultType: 'complete'}),
        'tasks/cancel': () => ({resultType: 'complete'}),
        'subscriptions/listen': ({id}, say) => {
          const event = (taskId) => ({
            jsonrpc: '2.0',
            method: 'notifications/tasks',
            params: {...task(taskId), result: {tools: [tool('seen'), tool('unseen')]}}
          });
          say(event('t1'));
          say(event('t2'));
          return {resultType: 'complete'};
        }
      },
      rules);
  assert.equal((await modern(jordan, 'tools/call', {name: 'run'}, 'run')).json.result.taskId, 't1');
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    const params = {taskId: 't1', ...(method === 'tasks/update' && {inputResponses: {}})};
    assert.deepEqual((await modern(robin, method, params, 't1')).json.error, notFound, method);
    assert.equal(reached(method), 0, method);
    const {json, body} = await modern(jordan, method, params, 't1');
    assert.ok(json.result, method);
    assert.doesNotMatch(body, /jane/, 'guards look at what a task came to');
  }
  const listen = (agent, taskIds) =>
      modern(agent, 'subscriptions/listen', {notifications: {taskIds}});
  assert.deepEqual((await listen(robin, ['t9', 't1'])).json.error, notFound);
  assert.equal((await listen(robin, 't1')).json.error.code, -32602);
  assert.equal(reached('subscriptions/listen'), 0);
  const [event, end] = dataOf((await listen(jordan, ['t1'])).body);
  assert.deepEqual(event.params.result.tools.map((each) => each.name), ['seen']);
  assert.equal(end.id, 7, 'of the other task nothing was told');

  const {requestState} =
      (await modern(jordan, 'tools/call', {name: 'run', arguments: {}}, 'run')).json.result;
  assert.equal(requestState, ' st\u00e4te"1" ');
  const before = reached('tools/call');
  const retry = (agent, state) => modern(
      agent, 'tools/call', {name: 'run', arguments: {}, inputResponses: {}, requestState: state},
      'run');
  assert.deepEqual(
      (await retry(robin, requestState)).json.error,
      {code: -32602, message: 'Invalid requestState'});
  assert.equal(reached('tools/call'), before);
  assert.equal(
      (await retry(jordan, requestState)).json.result.content[0].text, `after ${requestState}`);
  assert.equal(crm.messages('tools/call').at(-1).params.requestState, requestState);
});
