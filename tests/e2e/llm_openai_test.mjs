// OpenAI's API through the sidecar, by the official client: what calls cost, from bodies and
// streams, and that nothing of the metering shows.
import {gzipSync} from 'node:zlib';
import OpenAI from 'openai';

import {agentEntry, assert, policyOf, scenario, until} from './lib.mjs';
import {chatAnswer, chatStream, chatUsage, llmOrigin, responsesStream, responsesUsage, usageOnEveryChunk} from './llm_origin.mjs';

// A token costs 1 in, 0.25 from the cache, 2 written to it, 10 out, in millionths of a dollar.
export const prices = (upstream = 'llm') => `prices:
  - upstream: ${upstream}
    models: ["gpt-4o*", text-embedding-3-small, "gpt-3.5*"]
    input: 1 USD per 1M tokens
    cached_input: 0.25 USD per 1M tokens
    cache_write: 2 USD per 1M tokens
    output: 10 USD per 1M tokens
    context: 5000
    max_output: 1000
  - {upstream: ${
    upstream}, models: large, input: 100 USD per 1M tokens, output: 100 USD per 1M tokens}
`;
const allow = '    allow:\n      - {id: models, upstream: llm}\n';

async function setUp(s, {limit = '10 USD per day', more = '', rules = allow, config} = {}) {
  const origin = await llmOrigin(s);
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf(
        [jordan], rules,
        `${prices()}budgets:\n  models-daily: {for: {each: agent}, upstream: llm, models: "*", limit: ${
            limit}}\n${more}`),
    upstreams: {llm: {http: origin.url(), meter: 'openai', answer_idle: '5s'}},
    config
  });
  const client = new OpenAI({
    apiKey: jordan.token,
    baseURL: `http://127.0.0.1:${sidecar.port}/llm/v1`,
  });
  // The outcome of the call before, the `nth` in all.
  const outcome = async (nth) =>
      (await sidecar.records({upstream: 'llm'}, nth)).at(nth - 1).outcome;
  return {origin, jordan, sidecar, client, outcome};
}

const hello = {
  model: 'gpt-4o',
  messages: [{role: 'user', content: 'Hello'}]
};
const near = (a, b) => Math.abs(a - b) < 1e-9;
const textOf = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return {text: chunks.map((chunk) => chunk.choices?.[0]?.delta?.content ?? '').join(''), chunks};
};

scenario('a chat completion costs what its usage says', async (s) => {
  const {origin, sidecar, client, outcome} = await setUp(s);
  origin.recording = chatAnswer(chatUsage(100, 20, {cached: 40, written: 10, reasoning: 5}));
  const answer = await client.chat.completions.create({...hello, max_tokens: 50});
  assert.equal(answer.choices[0].message.content, 'Hello!');
  assert.equal(answer.usage.prompt_tokens, 100);
  const sent = origin.last();
  assert.deepEqual(JSON.parse(sent.body), {...hello, max_tokens: 50}, 'nothing is changed');
  assert.equal(sent.headers['accept-encoding'], 'identity');
  assert.equal(sent.headers.authorization, undefined);
  const line = await outcome(1);
  assert.deepEqual(
      [line.tokens_in, line.tokens_out, line.model, line.protocol, line.target, line.unmeasured],
      [100, 20, 'gpt-4o-2024-08-06', 'openai', 'gpt-4o', undefined]);
  // 50 + 40/4 + 10*2 + 20*10
  assert.equal(line.cost, 0.00028);
  const [{decision}] = await sidecar.records({upstream: 'llm'});
  assert.equal(decision.reserved, (Buffer.byteLength(sent.body) * 2 + 50 * 10) / 1e6);
  const used = () => sidecar.metric('reeve_budget_used', {budget: 'models-daily'});
  await until(async () => near(await used(), 0.00028), 'the budget to be used');
  const labels = {agent: 'jordan', upstream: 'llm', model: 'gpt-4o*'};
  const tokens = (direction) => sidecar.metric('reeve_tokens_total', {...labels, direction});
  assert.deepEqual([await tokens('input'), await tokens('output')], [100, 20]);
  assert.ok(near(await sidecar.metric('reeve_spend_total', {agent: 'jordan'}), 0.00028));
});

scenario('the usage of a stream is asked for, and hidden from a client that has not', async (s) => {
  const {origin, client, outcome} = await setUp(s);
  let calls = 0;
  for (const options of [undefined, null, {}, {include_usage: false}]) {
    for (const choices of [[], null]) {
      origin.recording = {...chatStream({usage: chatUsage(30, 6), choices}), pieces: 7};
      const {text, chunks} = await textOf(await client.chat.completions.create(
          {...hello, stream: true, ...(options !== undefined && {stream_options: options})}));
      assert.equal(text, 'Hello!');
      assert.ok(chunks.every((chunk) => !chunk.usage && chunk.choices.length === 1));
      const sent = JSON.parse(origin.last().body);
      assert.equal(sent.stream_options.include_usage, true);
      const line = await outcome(++calls);
      assert.deepEqual([line.tokens_in, line.tokens_out, line.cost], [30, 6, 0.00009]);
    }
  }
  // Who asks gets it, as it came.
  origin.recording = chatStream({usage: chatUsage(30, 6)});
  const {chunks} = await textOf(await client.chat.completions.create(
      {...hello, stream: true, stream_options: {include_usage: true}}));
  assert.equal(chunks.at(-1).usage.completion_tokens, 6);
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal((await outcome(++calls)).cost, 0.00009);
});

scenario('streams cut into any pieces pass as they were, byte for byte', async (s) => {
  const {origin, sidecar, jordan, outcome} = await setUp(s);
  const asked = {...hello, stream: true, stream_options: {include_usage: true}};
  const recording = chatStream({usage: chatUsage(30, 6), words: ['ö', '\u{1f600}', '\r\n']});
  let calls = 0;
  for (const pieces of [1, 2, 3, 5, 64, 1 << 20]) {
    origin.recording = {...recording, pieces};
    const answer = await sidecar.call('POST', '/llm/v1/chat/completions', {
      token: jordan.token,
      body: JSON.stringify(asked),
      headers: {'Content-Type': 'application/json'}
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.body, recording.body);
    assert.equal((await outcome(++calls)).tokens_out, 6);
  }
});

scenario('what is reserved is charged where the answer does not say', async (s) => {
  const {origin, client, outcome, sidecar} = await setUp(s);
  const all = async (nth) => {
    const {decision, outcome: line} = (await sidecar.records({upstream: 'llm'}, nth)).at(nth - 1);
    assert.equal(line.cost, decision.reserved);
    assert.ok(line.cost > 0);
    return line.unmeasured;
  };
  const ask = (more = {}) => client.chat.completions.create({...hello, max_tokens: 50, ...more});
  const stream = async () => textOf(await ask({stream: true})).catch((error) => error);

  origin.recording = chatAnswer(undefined);
  await ask();
  assert.equal(await all(1), 'missing');
  origin.recording = chatAnswer({prompt_tokens: -1, completion_tokens: 2});
  await ask();
  assert.equal(await all(2), 'unreadable');
  origin.recording = {
    body: gzipSync(chatAnswer(chatUsage(1, 1)).body),
    headers: {'Content-Encoding': 'gzip'}
  };
  await ask();
  assert.equal(await all(3), 'unreadable');
  origin.recording = chatStream();
  assert.equal((await stream()).text, 'Hello!');
  assert.equal(await all(4), 'missing');
  // Broken off between two words, with a usage of what there was so far.
  const parts = usageOnEveryChunk([[30, 1], [30, 2], [30, 3]]);
  origin.recording = {...parts, body: parts.body.slice(0, parts.body.indexOf('"stop"')), cut: true};
  await stream();
  assert.equal(await all(5), 'cut');
  const failed = 'data: {"error":{"message":"The server had an error","type":"server_error"}}\n\n';
  origin.recording = chatStream({last: failed, done: false});
  assert.match(String(await stream()), /server had an error/);
  assert.equal(await all(6), 'missing');
  // Explicit zeros are zeros.
  origin.recording = chatAnswer(chatUsage(0, 0));
  await ask();
  const line = await outcome(7);
  assert.deepEqual(
      [line.cost, line.tokens_in, line.tokens_out, line.unmeasured], [0, 0, 0, undefined]);
});

scenario('the last of several usages counts', async (s) => {
  const {origin, client, outcome} = await setUp(s);
  origin.recording = usageOnEveryChunk([[30, 1], [30, 2], [30, 3]]);
  const {text} = await textOf(await client.chat.completions.create({...hello, stream: true}));
  assert.equal(text, 'xxx', 'a chunk with choices is never hidden');
  const line = await outcome(1);
  assert.deepEqual([line.tokens_in, line.tokens_out, line.cost], [30, 3, 0.00006]);
});

scenario('the API\'s refusals cost nothing', async (s) => {
  const {origin, client, outcome, sidecar} = await setUp(s);
  let calls = 0;
  for (const status of [400, 401, 429, 500, 503]) {
    origin.recording = {
      status,
      body: JSON.stringify({error: {message: 'No', type: 'invalid_request_error', code: null}})
    };
    const error = await client.chat.completions.create({...hello, max_tokens: 5}, {maxRetries: 0})
                      .catch((error) => error);
    assert.equal(error.status, status);
    const line = await outcome(++calls);
    assert.deepEqual([line.status, line.cost, line.unmeasured], [status, 0, undefined]);
  }
  assert.equal(await sidecar.metric('reeve_budget_reserved', {budget: 'models-daily'}), 0);
  assert.equal(await sidecar.metric('reeve_budget_used', {budget: 'models-daily'}), 0);
});

scenario('responses: completed, incomplete, failed; bodies; background', async (s) => {
  const {origin, client, outcome} = await setUp(s);
  let calls = 0;
  const ask = {model: 'gpt-4o', input: 'Hello', max_output_tokens: 40};
  for (const status of ['completed', 'incomplete', 'failed']) {
    origin.recording = {...responsesStream(status, responsesUsage(12, 3, 4)), pieces: 11};
    const types = [];
    for await (const event of await client.responses.create({...ask, stream: true}))
      types.push(event.type);
    assert.equal(types.at(-1), `response.${status}`);
    assert.equal(JSON.parse(origin.last().body).stream_options, undefined);
    const line = await outcome(++calls);
    assert.deepEqual([line.tokens_in, line.tokens_out, line.cost], [12, 3, 0.000039]);
  }
  origin.recording = {
    body: JSON.stringify({
      id: 'resp_1',
      object: 'response',
      status: 'queued',
      model: 'gpt-4o',
      output: [],
      usage: null
    })
  };
  await client.responses.create({...ask, background: true});
  assert.equal((await outcome(++calls)).unmeasured, 'missing');
  // To look at an answer, or to cancel it, costs nothing.
  await client.responses.retrieve('resp_1');
  await client.responses.cancel('resp_1');
  assert.deepEqual(
      [(await outcome(++calls)).cost, (await outcome(++calls)).cost], [undefined, undefined]);
});

scenario('embeddings and older completions', async (s) => {
  const {origin, client, outcome} = await setUp(s);
  origin.recording = {
    body: JSON.stringify({
      object: 'list',
      model: 'text-embedding-3-small',
      data: [{object: 'embedding', index: 0, embedding: [0.1, 0.2]}],
      usage: {prompt_tokens: 8, total_tokens: 8}
    })
  };
  await client.embeddings.create(
      {model: 'text-embedding-3-small', input: ['Hello', 'there'], encoding_format: 'float'});
  assert.equal((await outcome(1)).cost, 0.000008);
  origin.recording = chatAnswer(chatUsage(8, 2), {model: 'gpt-3.5-turbo-instruct'});
  await client.completions.create({model: 'gpt-3.5-turbo-instruct', prompt: 'x', max_tokens: 5});
  assert.equal((await outcome(2)).cost, 0.000028);
});

scenario('another model than was asked for has its own price', async (s) => {
  const {origin, client, sidecar, outcome} = await setUp(s);
  const ask = () => client.chat.completions.create({...hello, max_tokens: 100});
  origin.recording = chatAnswer(chatUsage(10, 1), {model: 'large'});
  await ask();
  assert.equal((await outcome(1)).cost, 0.0011, '11 tokens at 100');
  // Beyond what was reserved nothing is settled, but it is written down.
  origin.recording = chatAnswer(chatUsage(1000, 500), {model: 'large'});
  await ask();
  const {decision, outcome: over} = (await sidecar.records({upstream: 'llm'}, 2)).at(1);
  assert.equal(over.cost, decision.reserved);
  assert.ok(near(over.overrun, 0.15 - decision.reserved));
  // One that no price names.
  origin.recording = chatAnswer(chatUsage(10, 1), {model: 'mystery'});
  await ask();
  const {decision: held, outcome: line} = (await sidecar.records({upstream: 'llm'}, 3)).at(2);
  assert.deepEqual([line.unmeasured, line.cost, line.tokens_in], ['unpriced', held.reserved, 10]);
  // One with a date is the one without.
  origin.recording = chatAnswer(chatUsage(10, 1), {model: 'large-2026-01-31'});
  await client.chat.completions.create({...hello, model: 'large', max_tokens: 100});
  assert.equal((await outcome(4)).cost, 0.0011);
});

scenario('what cannot be priced does not go out', async (s) => {
  const {origin, client, sidecar, jordan} = await setUp(s);
  origin.recording = chatAnswer(chatUsage(1, 1));
  const refused = async (promise, status, message) => {
    const error = await promise.catch((error) => error);
    assert.equal(error.status, status, String(error));
    assert.match(error.message, message);
  };
  const chat = (more) => client.chat.completions.create({...hello, ...more});
  await refused(chat({model: 'unknown'}), 403, /no price names the model/);
  await refused(chat({model: 'large'}), 403, /max_tokens/);
  const image = [{role: 'user', content: [{type: 'image_url', image_url: {url: 'https://x/y'}}]}];
  await refused(chat({model: 'large', max_tokens: 5, messages: image}), 403, /context/);
  await refused(chat({max_tokens: 5, web_search_options: {}}), 403, /web_search_options/);
  await refused(
      client.responses.create({model: 'gpt-4o', input: 'x', tools: [{type: 'web_search'}]}), 403,
      /web_search/);
  await refused(
      client.images.generate({model: 'gpt-image-1', prompt: 'x'}), 403,
      /images\/generations.*not metered/);
  await refused(chat({max_tokens: 1.5}), 400, /max_tokens/);
  const raw = (body, type = 'application/json') => sidecar.call(
      'POST', '/llm/v1/chat/completions',
      {token: jordan.token, body, headers: {'Content-Type': type}});
  assert.equal((await raw('{"model":"gpt-4o","model":"large"}')).status, 400);
  assert.equal((await raw('{"model":"gpt-4o","Model":"large"}')).status, 400);
  assert.equal((await raw('{"messages":[]}')).status, 400);
  assert.equal((await raw('')).status, 400);
  assert.equal((await raw('{"model":"gpt-4o"}', 'text/plain')).status, 415);
  assert.equal(origin.requests.length, 0, 'none of it left');
  // With a price that bounds it, a picture does.
  await chat({max_tokens: 5, messages: image});
  const {decision} = (await sidecar.records({decision: 'allow'}, 1))[0];
  assert.equal(decision.reserved, (5000 * 2 + 5 * 10) / 1e6);
  await client.models.list();
  assert.equal(origin.requests.length, 2);
});

scenario('an endpoint that is not metered has the price that names it', async (s) => {
  const origin = await llmOrigin(s);
  origin.recording = {body: '{}'};
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allow, `prices:
  - {upstream: llm, http: "POST /v1/images/**", cost: 0.04 USD}
  - {upstream: llm, http: "POST /v1/moderations", cost: 0 USD}
budgets:
  all: {for: everyone, limit: 0.05 USD per day}
`),
    upstreams: {llm: {http: origin.url(), meter: 'openai'}}
  });
  const post = (path) => sidecar.call('POST', `/llm/v1/${path}`, {token: jordan.token, body: 'x'});
  assert.equal((await post('images/generations')).status, 200);
  assert.equal((await post('images/generations')).status, 402);
  assert.equal((await post('moderations')).status, 200);
  assert.equal((await post('audio/speech')).status, 403);
});

scenario('rules by model', async (s) => {
  const {origin, client} = await setUp(s, {
    rules: `    allow:
      - {upstream: llm, models: "gpt-4o*", when: {args.temperature: {max: 1, default: 1}}}
    deny:
      - {upstream: llm, models: "*-preview", because: No previews}
`
  });
  origin.recording = chatAnswer(chatUsage(1, 1));
  const status = (model, more) => client.chat.completions.create({...hello, model, ...more})
                                      .then(() => 200, (error) => error.status);
  assert.equal(await status('gpt-4o-mini'), 200);
  assert.equal(await status('gpt-4o-mini', {temperature: 1.5}), 403);
  assert.equal(await status('gpt-4o-preview'), 403);
  assert.equal(await status('gpt-3.5-turbo'), 403);
});
