// Guards on events as they come, one by one, and on a model's text that comes word by word.
import {mail, start} from './guarded.mjs';
import {assert, scenario, until} from './lib.mjs';

// Sends events, each only after the agent has the one before; `pieces` are bytes as they leave.
async function events(call, said, pieces) {
  let response;
  said.answer = (_, to) => {
    response = to;
    to.writeHead(200, {'Content-Type': 'text/event-stream'});
    to.write(pieces[0]);
  };
  const answer = await call('GET', '/api/x', {stream: true});
  assert.equal(answer.status, 200);
  let text = '', cut = false;
  answer.response.setEncoding('utf8');
  answer.response.on('data', (data) => {
    text += data;
  });
  const ended = new Promise((done) => {
    answer.response.on('end', done);
    answer.response.on('error', () => done(cut = true));
  });
  return {
    text: () => text,
    send: (piece) => response.write(piece),
    end: async () => {
      response.end();
      await ended;
      return {text, cut};
    },
    ended: async () => {
      await ended;
      return {text, cut};
    }
  };
}

scenario('events go on one by one, each looked at', async (s) => {
  const {said, sidecar, call} = await start(s);
  const stream = await events(call, said, [`event: note\nid: 7\ndata: to ${mail}\n\n`]);
  const first = 'event: note\nid: 7\ndata: to [redacted: email]\n\n';
  await until(() => stream.text() === first, 'the first event, alone');
  stream.send(`data: {"pan":"\\u00341`);
  stream.send('11111111111111"}\r\n\r\n: ping\n\n');
  const second = `${first}data: {"pan":"[redacted: credit-card]"}\n\n:  ping\n\n`;
  await until(() => stream.text().length >= second.length - 1, 'the second event');
  const {text, cut} = await stream.end();
  assert.equal(text.replaceAll(':  ping', ': ping'), second.replaceAll(':  ping', ': ping'));
  assert.equal(cut, false);
  const [{outcome}] = await sidecar.records({upstream: 'api'});
  assert.deepEqual(outcome.found, {pii: {email: 1, 'credit-card': 1}});

  for (const bad of [`id: ${mail}\ndata: 1\n\n`, 'data: {"a":"\\u0040\n\n', 'data: \xff\n\n']) {
    const other = await events(call, said, ['data: fine\n\n']);
    await until(() => other.text() === 'data: fine\n\n', 'the first event');
    other.send(Buffer.from(bad, 'latin1'));
    assert.deepEqual(await other.ended(), {text: 'data: fine\n\n', cut: true}, bad);
  }
  const lines = await sidecar.records({upstream: 'api'}, 4);
  assert.deepEqual([lines[1].outcome.decision, lines[1].outcome.error], ['deny', 'guard']);
});

scenario('an event that is denied ends the stream before it', async (s) => {
  const {said, sidecar, call} = await start(s, {guard: 'denying'});
  const stream = await events(call, said, ['data: one\n\n']);
  await until(() => stream.text() === 'data: one\n\n', 'the first event');
  stream.send(`data: ${mail}\n\ndata: three\n\n`);
  assert.deepEqual(await stream.ended(), {text: 'data: one\n\n', cut: true});
  const [{outcome}] = await sidecar.records({upstream: 'api'});
  assert.deepEqual(
      [outcome.decision, outcome.reason, outcome.guard, outcome.error],
      ['deny', 'guard', 'pii', 'guard']);
});

// What a model's client puts together from a stream.
const readers = {
  openai: (event) => event.choices?.[0]?.delta?.content ?? '',
  anthropic: (event) => event.delta?.text ?? '',
};
const chunk = {
  openai: (text) => `data: ${JSON.stringify({choices: [{index: 0, delta: {content: text}}]})}\n\n`,
  anthropic: (text) => `event: content_block_delta\ndata: ${
      JSON.stringify(
          {type: 'content_block_delta', index: 0, delta: {type: 'text_delta', text}})}\n\n`,
};
const ending = {
  openai: 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
  anthropic: 'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n' +
      'event: message_stop\ndata: {"type":"message_stop"}\n\n',
};
for (const kind of ['openai', 'anthropic']) {
  scenario(`a model's stream (${kind}): a secret in several events is found`, async (s) => {
    const {said, sidecar, call} = await start(s);
    const stream = await events(call, said, [chunk[kind]('Sure, ')]);
    await until(() => stream.text() === chunk[kind]('Sure, '), 'the first words, at once');
    for (const piece
             of ['Write to ja', 'ne.roe@exam', 'ple.com', ' or pay 4111 ', '1111 1111 ', '1111'])
      stream.send(chunk[kind](piece));
    stream.send(ending[kind]);
    const {text, cut} = await stream.end();
    const data =
        text.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice(6));
    const told = data.filter((line) => line !== '[DONE]')
                     .map((line) => readers[kind](JSON.parse(line)))
                     .join('');
    assert.equal(told, 'Sure, Write to [redacted: email] or pay [redacted: credit-card]');
    assert.equal(cut, false);
    assert.ok(text.endsWith(ending[kind]), text);
    const [{outcome}] = await sidecar.records({upstream: 'api'});
    assert.deepEqual(outcome.found, {pii: {email: 1, 'credit-card': 1}});
  });
}
