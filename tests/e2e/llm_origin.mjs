// An LLM API that plays recordings: what OpenAI, Anthropic and those that are compatible send, in
// the pieces that a test asks for.
import {until} from './lib.mjs';

const event = (data, name) => `${name ? `event: ${name}\n` : ''}data: ${
    typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

// Plays `origin.recording`: {status, type, headers, body, pieces, cut, hold}. `pieces`: the size of
// each write in bytes; `cut`: the connection breaks behind it; `hold`: a promise to wait for before
// the last piece.
export async function llmOrigin(s) {
  const origin = await s.origin(async (request, response) => {
    const {status = 200, type = 'application/json', headers = {}, body, pieces, cut, hold} =
        origin.recording;
    const bytes = Buffer.from(body);
    response.on('error', () => {});
    response.writeHead(status, {'Content-Type': type, ...headers});
    const size = pieces ?? bytes.length;
    for (let at = 0; at < bytes.length; at += size) {
      if (hold && at + size >= bytes.length) await hold;
      response.write(bytes.subarray(at, at + size));
      await new Promise((done) => setImmediate(done));
    }
    if (!cut) return response.end();
    await until(() => response.writableLength === 0, 'all to be written');
    response.socket.destroy();
  });
  origin.last = () => origin.requests.at(-1);
  return origin;
}

const chunk = (choices, more = {}) => ({
  id: 'chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG',
  object: 'chat.completion.chunk',
  created: 1741570283,
  model: 'gpt-4o-2024-08-06',
  service_tier: 'default',
  system_fingerprint: 'fp_fc9f1d7035',
  ...(choices !== undefined && {choices}),
  ...more
});
const delta = (delta, finish = null) => [{index: 0, delta, logprobs: null, finish_reason: finish}];
export const chatUsage = (input, output, {cached = 0, written, reasoning = 0} = {}) => ({
  prompt_tokens: input,
  completion_tokens: output,
  total_tokens: input + output,
  prompt_tokens_details: {
    cached_tokens: cached,
    audio_tokens: 0,
    ...(written !== undefined && {cache_write_tokens: written})
  },
  completion_tokens_details: {
    reasoning_tokens: reasoning,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0
  }
});

// A stream of chat/completions. `usage` comes as its own chunk, unless `last` says otherwise.
export function chatStream(
    {usage, choices = [], words = ['Hel', 'lo', '!'], done = true, model, last} = {}) {
  const named = model ? {model} : {};
  const none = usage ? {usage: null, ...named} : named;
  let body = event(chunk(delta({role: 'assistant', content: '', refusal: null}), none));
  for (const content of words) body += event(chunk(delta({content}), none));
  body += last ?? event(chunk(delta({}, 'stop'), none));
  if (usage) body += event(chunk(choices, {usage, ...named}));
  if (done) body += event('[DONE]');
  return {type: 'text/event-stream; charset=utf-8', body};
}

// Some tell the usage with every chunk, of what there was so far.
export function usageOnEveryChunk(counts) {
  let body = '';
  counts.forEach(([input, output], i) => {
    const finish = i === counts.length - 1 ? 'stop' : null;
    body += event(chunk(delta({content: 'x'}, finish), {usage: chatUsage(input, output)}));
  });
  return {type: 'text/event-stream', body: body + event('[DONE]')};
}

export const chatAnswer = (usage, more = {}) => ({
  body: JSON.stringify({
    id: 'chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT',
    object: 'chat.completion',
    created: 1741569952,
    model: 'gpt-4o-2024-08-06',
    choices: [{
      index: 0,
      message: {role: 'assistant', content: 'Hello!', refusal: null, annotations: []},
      logprobs: null,
      finish_reason: 'stop'
    }],
    ...(usage !== undefined && {usage}),
    service_tier: 'default',
    ...more
  })
});

export const responsesUsage = (input, output, cached = 0) => ({
  input_tokens: input,
  input_tokens_details: {cached_tokens: cached},
  output_tokens: output,
  output_tokens_details: {reasoning_tokens: 0},
  total_tokens: input + output
});
const response = (status, usage) => ({
  id: 'resp_67c9fdcecf488190bdd9a0409de3a1ec07b8b0ad4e5eb654',
  object: 'response',
  created_at: 1741290958,
  status,
  error: status === 'failed' ? {code: 'server_error', message: 'The model failed'} : null,
  incomplete_details: status === 'incomplete' ? {reason: 'max_output_tokens'} : null,
  model: 'gpt-4o-2024-08-06',
  output: [],
  usage
});
export function responsesStream(status, usage) {
  const send = (type, more) => event({type, ...more}, type);
  return {
    type: 'text/event-stream; charset=utf-8',
    body: send('response.created', {sequence_number: 0, response: response('in_progress', null)}) +
        send('response.output_text.delta', {
            sequence_number: 1,
            item_id: 'msg_1',
            output_index: 0,
            content_index: 0,
            delta: 'Hi',
            logprobs: []
          }) +
        send(`response.${status}`, {sequence_number: 2, response: response(status, usage)})
  };
}

// A stream of Anthropic's messages; `deltas` are the usages of its message_delta events.
export function messagesStream({start, deltas, stop = true, error, model}) {
  const send = (type, more = {}) => event({type, ...more}, type);
  let body = send('message_start', {
    message: {
      id: 'msg_01EhbKjFJPXsYQXqzuYv2cWb',
      type: 'message',
      role: 'assistant',
      model: model ?? 'claude-sonnet-4-5-20250929',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: start
    }
  });
  body += send('content_block_start', {index: 0, content_block: {type: 'text', text: ''}});
  body += send('ping');
  body += send('content_block_delta', {index: 0, delta: {type: 'text_delta', text: 'Hello'}});
  body += send('content_block_stop', {index: 0});
  (deltas ?? []).forEach((usage, i) => {
    const last = i === deltas.length - 1;
    body += send(
        'message_delta',
        {delta: {stop_reason: last ? 'end_turn' : null, stop_sequence: null}, usage});
  });
  if (error) body += send('error', {error: {type: 'overloaded_error', message: 'Overloaded'}});
  if (stop) body += send('message_stop');
  return {type: 'text/event-stream; charset=utf-8', body};
}
export const messagesAnswer = (usage) => ({
  body: JSON.stringify({
    id: 'msg_013Zva2CMHLNnXjNJJKqJ2EF',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5-20250929',
    content: [{type: 'text', text: 'Hello'}],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage
  })
});
