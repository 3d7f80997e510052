// An MCP server of the legacy era, written out by hand so that it can also misbehave.
//
// `answers` maps methods to functions of (message, say): what they return is the result; a string
// is sent as it is, undefined leaves the request unanswered. `say(event)` sends an event first, and
// makes the answer a stream. `ready` keeps initialize waiting, `knows`
// says which sessions live.
export async function scripted(s, answers = {}, {
  capabilities =
  {
    tools: {}
  }
} = {}) {
  let sessions = 0;
  const streams = [];
  const origin = await s.origin(async (request, response, entry) => {
    if (request.method === 'GET') {
      response.writeHead(200, {'Content-Type': 'text/event-stream'});
      response.write(':\n\n');
      streams.push({response, lastEventId: request.headers['last-event-id']});
      return;
    }
    if (request.method === 'DELETE') return response.writeHead(200).end();
    const message = JSON.parse(entry.body);
    entry.message = message;
    const session = request.headers['mcp-session-id'];
    if (session && answers.knows && !answers.knows(session)) return response.writeHead(404).end();
    if (message.id === undefined || message.method === undefined) {
      return response.writeHead(202).end();
    }
    const say = (event) => {
      if (!response.headersSent) response.writeHead(200, {'Content-Type': 'text/event-stream'});
      response.write(`data: ${JSON.stringify(event)}\n\n`);
    };
    const headers = {'Content-Type': 'application/json'};
    let result;
    if (message.method === 'initialize') {
      await answers.ready?.();
      headers['Mcp-Session-Id'] = `scripted-${++sessions}`;
      result = {
        protocolVersion: '2025-11-25',
        capabilities,
        serverInfo: {name: 'scripted', version: '1'},
        ...(answers.instructions && {instructions: answers.instructions})
      };
    } else if (answers[message.method]) {
      result = answers[message.method](message, say, response);
      if (result === undefined) return;
    } else {
      response.writeHead(200, headers);
      return response.end(JSON.stringify(
          {jsonrpc: '2.0', id: message.id, error: {code: -32601, message: 'Method not found'}}));
    }
    const text = typeof result === 'string' ?
        result :
        JSON.stringify({jsonrpc: '2.0', id: message.id, result});
    if (response.headersSent) return response.end(`data: ${text}\n\n`);
    response.writeHead(200, headers);
    response.end(text);
  });
  return {
    url: origin.url('/mcp'),
    requests: origin.requests,
    streams,
    messages: (method) => origin.requests.filter((each) => each.message?.method === method)
                              .map((each) => each.message),
    push: (message, id) => streams.at(-1).response.write(
        `${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(message)}\n\n`)
  };
}

export const tool = (name) => ({name, inputSchema: {type: 'object'}});
export const text = (value) => ({content: [{type: 'text', text: String(value)}]});
