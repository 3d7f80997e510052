// Money for models is a cap: it runs out to the cent, many clients at once never overspend it, and
// who hangs up pays all the same.
import Anthropic from '@anthropic-ai/sdk';
import {readFileSync} from 'node:fs';
import OpenAI from 'openai';

import {agentEntry, assert, policyOf, scenario, until} from './lib.mjs';
import {chatAnswer, chatStream, chatUsage, llmOrigin, messagesAnswer, messagesStream} from './llm_origin.mjs';

const allow = '    allow:\n      - {upstream: llm, models: "*"}\n';
const near = (a, b) => Math.abs(a - b) < 1e-9;

async function setUp(s, {limit, meter = 'openai', price, idle = '5s', config} = {}) {
  const origin = await llmOrigin(s);
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allow, `prices:
  - upstream: llm
    models: "*"
${price}
budgets:
  models-daily: {for: {each: agent}, upstream: llm, models: "*", limit: ${limit}}
`),
    upstreams: {llm: {http: origin.url(), meter, answer_idle: idle}},
    config
  });
  const at = `http://127.0.0.1:${sidecar.port}/llm`;
  return {
    origin,
    sidecar,
    openai: new OpenAI({apiKey: jordan.token, baseURL: `${at}/v1`}),
    anthropic: new Anthropic({apiKey: jordan.token, baseURL: at}),
    used: () => sidecar.metric('reeve_budget_used', {budget: 'models-daily'}),
    reserved: () => sidecar.metric('reeve_budget_reserved', {budget: 'models-daily'})
  };
}
// Only output costs: a cent a token.
const cents = '    input: 0 USD per 1M tokens\n    output: 10000 USD per 1M tokens';
const ask = {
  model: 'm',
  messages: [{role: 'user', content: 'Hi'}],
  max_tokens: 100
};

scenario('10 USD a day on models run out to the cent, and the clients say so', async (s) => {
  const {origin, sidecar, openai, used} = await setUp(s, {limit: '10 USD per day', price: cents});
  // 100 tokens are reserved each time, 1 USD; 63 are used: 14 calls are 8.82, then 1.18 is left.
  origin.recording = chatAnswer(chatUsage(5, 63), {model: 'm'});
  for (let i = 0; i < 15; ++i) await openai.chat.completions.create(ask);
  const before = origin.requests.length;
  const refused = await openai.chat.completions.create(ask).catch((error) => error);
  assert.equal(refused.status, 402);
  assert.match(
      refused.message, /402 Denied: budget `models-daily` .* has used 9\.45 of 10 USD per day/);
  assert.equal(refused.code, 'budget');
  assert.equal(origin.requests.length, before, 'nothing was tried again');
  // 55 cents are left, and 55 tokens fit.
  assert.equal(
      (await openai.chat.completions.create({...ask, max_tokens: 56}).catch((e) => e)).status, 402);
  origin.recording = chatAnswer(chatUsage(5, 55), {model: 'm'});
  await openai.chat.completions.create({...ask, max_tokens: 55});
  await until(async () => near(await used(), 10), 'the last cent to be used');
  const last = await openai.chat.completions.create({...ask, max_tokens: 1}).catch((e) => e);
  assert.equal(last.status, 402);
  const records = await sidecar.records({decision: 'allow'}, 16);
  assert.ok(near(records.reduce((sum, {outcome}) => sum + outcome.cost, 0), 10));
});

scenario('a budget in tokens', async (s) => {
  const {origin, openai, used} = await setUp(s, {limit: '1000 tokens per day', price: cents});
  origin.recording = chatAnswer(chatUsage(300, 100), {model: 'm'});
  await openai.chat.completions.create({...ask, max_tokens: 500});
  await until(async () => near(await used(), 400), 'what was used to be counted');
  const refused = await openai.chat.completions.create({...ask, max_tokens: 600}).catch((e) => e);
  assert.equal(refused.status, 402);
  assert.match(refused.message, /has used 400 of 1000 tokens per day/);
});

for (const threads of [1, 4]) {
  scenario(`64 at once never overspend, ${threads} threads`, async (s) => {
    const {origin, openai, used, reserved, sidecar} =
        await setUp(s, {limit: '5 USD per year', price: cents, config: {threads}});
    // Each reserves 0.20 and uses 0.07.
    origin.recording = {...chatStream({usage: chatUsage(9, 7), model: 'm'}), pieces: 100};
    let most = 0, over = false;
    const watch = async () => {
      while (!over) {
        most = Math.max(most, await used() + await reserved());
        assert.ok(most <= 5 + 1e-9, `${most} of 5 USD`);
      }
    };
    const watching = watch();
    const statuses = {};
    await Promise.all(Array.from({length: 64}, async () => {
      for (let i = 0; i < 4; ++i) {
        const status = await openai.chat.completions
                           .create({...ask, max_tokens: 20, stream: true}, {maxRetries: 0})
                           .then(async (stream) => {
                             for await (const chunk of stream) assert.ok(chunk);
                             return 200;
                           }, (error) => error.status);
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    }));
    over = true;
    await watching;
    assert.deepEqual(Object.keys(statuses).sort(), ['200', '402']);
    assert.equal(origin.requests.length, statuses[200]);
    const passed = await sidecar.records({decision: 'allow'}, statuses[200]);
    assert.ok(passed.every(({outcome}) => outcome.cost === 0.07));
    await until(async () => near(await used(), statuses[200] * 0.07), 'all to be settled');
    assert.equal(await reserved(), 0);
  });
}

// Connections that agents have to the sidecar, or have closed and it has not noticed.
function agentsOf({pid, port}) {
  const at = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const open = ['01', '08'];  // ESTABLISHED, CLOSE_WAIT
  const rows = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n').slice(1);
  const columns = rows.map((row) => row.trim().split(/\s+/));
  return columns.filter(([, local, , state]) => local?.endsWith(at) && open.includes(state)).length;
}

scenario('who hangs up in the middle of a stream pays what the stream says', async (s) => {
  const {origin, openai, sidecar, used} = await setUp(s, {limit: '10 USD per day', price: cents});
  let go;
  const hold = new Promise((done) => {
    go = done;
  });
  origin.recording = {...chatStream({usage: chatUsage(9, 7), model: 'm'}), pieces: 300, hold};
  const stream = await openai.chat.completions.create({...ask, stream: true});
  for await (const chunk of stream) {
    assert.ok(chunk);
    break;  // aborts the request
  }
  await until(() => agentsOf(sidecar) === 0, 'the sidecar to notice that the agent has gone');
  assert.equal(sidecar.audit({kind: 'outcome'}).length, 0, 'it is not over');
  go();
  const [{outcome}] = await sidecar.records({decision: 'allow'});
  assert.deepEqual([outcome.tokens_out, outcome.cost, outcome.error], [7, 0.07, 'agent-gone']);
  await until(async () => near(await used(), 0.07), 'it to be settled');
});

scenario('a stream that never ends is read on for a while, then charged in full', async (s) => {
  const {origin, openai, sidecar} =
      await setUp(s, {limit: '10 USD per day', price: cents, idle: '1s'});
  let go;
  origin.recording = {
    ...chatStream({usage: chatUsage(9, 7), model: 'm'}),
    pieces: 300,
    hold: new Promise((done) => {
      go = done;
    })
  };
  const stream = await openai.chat.completions.create({...ask, stream: true});
  for await (const chunk of stream) {
    assert.ok(chunk);
    break;
  }
  const [{outcome}] = await sidecar.records({decision: 'allow'});
  assert.deepEqual([outcome.cost, outcome.unmeasured, outcome.error], [1, 'cut', 'agent-gone']);
  go();
});

const sonnet = {
  model: 'claude-sonnet-4-5',
  max_tokens: 100,
  messages: [{role: 'user', content: 'Hi'}]
};
const claude = `    input: 3 USD per 1M tokens
    cached_input: 0.30 USD per 1M tokens
    cache_write: 3.75 USD per 1M tokens
    output: 15 USD per 1M tokens`;

scenario('Anthropic\'s messages: bodies, streams, the cache, an error in the middle', async (s) => {
  const {origin, sidecar, anthropic} =
      await setUp(s, {limit: '1 USD per day', meter: 'anthropic', price: claude});
  let calls = 0;
  const line = async () =>
      (await sidecar.records({upstream: 'llm'}, ++calls)).at(calls - 1).outcome;
  const counts = {
    input_tokens: 10,
    cache_creation_input_tokens: 100,
    cache_read_input_tokens: 1000,
    output_tokens: 1
  };
  // 30 + 375 + 300 + 15 a token out, in millionths
  origin.recording = messagesAnswer({...counts, output_tokens: 20});
  const answer = await anthropic.messages.create(sonnet);
  assert.equal(answer.content[0].text, 'Hello');
  assert.equal(origin.last().headers['accept-encoding'], 'identity');
  assert.equal(origin.last().headers['x-api-key'], undefined);
  let outcome = await line();
  assert.deepEqual(
      [outcome.tokens_in, outcome.tokens_out, outcome.model, outcome.protocol],
      [1110, 20, 'claude-sonnet-4-5-20250929', 'anthropic']);
  // More than one token a byte: the cache holds what the body does not show.
  assert.ok(outcome.cost > 0 && outcome.cost <= 0.001005);

  const long = {...sonnet, messages: [{role: 'user', content: 'x'.repeat(2000)}]};
  for (const pieces of [1, 13, 1 << 20]) {
    origin.recording = {
      ...messagesStream({start: counts, deltas: [{output_tokens: 8}, {output_tokens: 20}]}),
      pieces
    };
    const stream = anthropic.messages.stream(long);
    assert.equal(await stream.finalText(), 'Hello');
    assert.equal((await stream.finalMessage()).usage.output_tokens, 20);
    outcome = await line();
    assert.deepEqual([outcome.tokens_in, outcome.tokens_out, outcome.cost], [1110, 20, 0.001005]);
  }
  origin.recording = messagesStream({start: counts, deltas: [], stop: false, error: true});
  await assert.rejects(anthropic.messages.stream(long).finalMessage(), /Overloaded/);
  outcome = await line();
  assert.equal(outcome.unmeasured, 'missing');
  const {decision} = (await sidecar.records({upstream: 'llm'}, calls)).at(calls - 1);
  assert.equal(outcome.cost, decision.reserved);

  origin.recording = {body: '{"input_tokens": 14}'};
  await anthropic.messages.countTokens({model: sonnet.model, messages: sonnet.messages});
  assert.ok(!((await line()).cost > 0), 'to count is free');
});

scenario('Anthropic\'s client shows a spent budget and does not try again', async (s) => {
  const {origin, anthropic} =
      await setUp(s, {limit: '0.001 USD per day', meter: 'anthropic', price: claude});
  const refused = await anthropic.messages.create(sonnet).catch((error) => error);
  assert.equal(refused.status, 402);
  assert.match(refused.apiMessage, /budget `models-daily`/);
  assert.equal(refused.constructor.name, 'PaymentRequiredError');
  assert.equal(origin.requests.length, 0);
});
