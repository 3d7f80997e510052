// Guards on a tool that calls tools: those of both calls, and places from the arguments inside.
import {card, mail} from './guarded.mjs';
import {agentEntry, assert, policyOf, scenario} from './lib.mjs';

const rules = `    allow:
      - {id: guarded, upstream: crm, tools: look-up, guards: [pii]}
      - {id: others, upstream: crm, tools: "*"}
guards:
  pii: {patterns: email, fields: [birth_date], on: both}
  cards: {patterns: credit-card, on: both}
servers:
  crm: {dispatch: {invoke: {tool: args.name, args: args.arguments}}}
`;

async function start(s, text = rules) {
  const origin = await s.origin((request, response, {body}) => {
    const {id} = JSON.parse(body);
    const content = [{type: 'text', text: `${mail} ${card}`}];
    response.writeHead(200, {'Content-Type': 'application/json'});
    response.end(JSON.stringify({jsonrpc: '2.0', id, result: {content}}));
  });
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan], text), upstreams: {crm: {mcp: origin.url('/mcp')}}});
  const invoke = async (name, args) => {
    const params = {name: 'invoke', arguments: {name, arguments: args}};
    const {json} = await sidecar.rpc(
        '/crm', {jsonrpc: '2.0', id: 7, method: 'tools/call', params}, {token: jordan.token});
    return json.result.content[0].text;
  };
  const reached = () => JSON.parse(origin.requests.at(-1).body).params.arguments.arguments;
  return {origin, sidecar, invoke, reached};
}

scenario('the guards of the call inside, its places from its own arguments', async (s) => {
  const {sidecar, invoke, reached} = await start(s);
  assert.equal(
      await invoke('look-up', {birth_date: '1970-01-02', to: mail}), `[redacted: email] ${card}`);
  assert.deepEqual(reached(), {birth_date: '[redacted: field]', to: '[redacted: email]'});
  await invoke('look-up', JSON.stringify({birth_date: '1970-01-02'}));
  assert.equal(reached(), '{"birth_date":"[redacted: field]"}');
  assert.equal(await invoke('free', {birth_date: 1, to: mail}), `${mail} ${card}`);
  assert.deepEqual(reached(), {birth_date: 1, to: mail});
  const [{decision}] = await sidecar.records({target: 'look-up'}, 2);
  assert.deepEqual(
      [decision.dispatch, decision.found], ['invoke', {pii: {birth_date: 1, email: 1}}]);
});

scenario('the guards of the outer call as well; the name inside is not changed', async (s) => {
  const outer = '      - {id: outer, upstream: crm, tools: invoke, guards: [cards]}\n';
  const both = rules.replace('guards:\n  pii', `${outer}guards:\n  pii`);
  const {origin, invoke} = await start(s, both);
  assert.equal(await invoke('look-up', {}), '[redacted: email] [redacted: credit-card]');
  assert.equal(await invoke('free', {}), `${mail} [redacted: credit-card]`);
  const before = origin.requests.length;
  assert.match(await invoke(card, {}), /guard cards cannot look at the arguments/);
  assert.equal(origin.requests.length, before, 'the tool that was judged is none of that name');
});
