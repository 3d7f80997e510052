// A small business API for the examples: CRM, finance, suppliers, contracts and a warehouse of
// databases.
//
//   PORT=9000 API_KEY=secret node api.mjs
//
// Like most such APIs it knows one key and no agents: who holds the key may do everything, also
// change contracts. That an agent may not is the sidecar's business. GET /seen tells which keys
// came and how often (the demo looks there).
import http from 'node:http';

const key = process.env.API_KEY;
const customers = {
  'c-1042': {id: 'c-1042', name: 'Ada Lovelace', plan: 'gold'},
  'c-1043': {id: 'c-1043', name: 'Grace Hopper', plan: 'silver'},
};
const suppliers = [
  {id: 's-88', name: 'Nordic Steel', country: 'SE', price: '412.00'},
  {id: 's-91', name: 'Rhein Metallbau', country: 'DE', price: '398.50'},
];
const contracts = {
  'k-3': {id: 'k-3', supplier: 's-88', ends: '2027-06-30', discount: 5}
};
const invoices = [{id: 'i-2026-11', customer: 'c-1042', amount: '1290.00'}];
const databases = {
  sales: [{region: 'north', revenue: '48210.00'}, {region: 'south', revenue: '39975.50'}],
  payroll: [{person: 'dana', salary: '5100.00'}],
};
const seen = {
  calls: 0,
  credentials: {}
};

// [method, path expression, (match, body) -> [status, answer]]
const routes = [
  ['GET', /^\/crm\/customers\/([^/]+)$/, ([, id]) => found(customers[id])],
  ['DELETE', /^\/crm\/customers\/([^/]+)$/, ([, id]) => [delete customers[id] ? 204 : 404, null]],
  [
    'POST', /^\/crm\/tickets\/([^/]+)\/replies$/,
    ([, id], body) => [201, {ticket: id, reply: body.text}]
  ],
  ['GET', /^\/finance\/invoices$/, () => [200, invoices]],
  ['GET', /^\/suppliers\/?$/, () => [200, suppliers]],
  ['GET', /^\/suppliers\/([^/]+)$/, ([, id]) => found(suppliers.find((s) => s.id === id))],
  ['GET', /^\/contracts\/([^/]+)$/, ([, id]) => found(contracts[id])],
  [
    'PUT', /^\/contracts\/([^/]+)$/, ([, id], body) => [200, (contracts[id] = {
                                                          ...contracts[id],
                                                          ...body
                                                        })]
  ],
  ['POST', /^\/warehouse\/databases\/([^/]+)\/query$/, ([, name]) => found(databases[name])],
];

function found(value) {
  return value ? [200, value] : [404, {error: 'no such thing'}];
}

async function readJson(request) {
  let text = '';
  for await (const part of request) text += part;
  return text ? JSON.parse(text) : {};
}

async function answer(request) {
  const path = new URL(request.url, 'http://api').pathname;
  if (path === '/seen') return [200, seen];
  const credential = request.headers.authorization ?? 'none';
  seen.calls += 1;
  seen.credentials[credential] = (seen.credentials[credential] ?? 0) + 1;
  if (credential !== `Bearer ${key}`) return [401, {error: 'this API wants its key'}];
  for (const [method, expression, handler] of routes) {
    const match = request.method === method && expression.exec(path);
    if (match) return handler(match, await readJson(request));
  }
  return [404, {error: 'no such path'}];
}

const server = http.createServer(async (request, response) => {
  let status, value;
  try {
    [status, value] = await answer(request);
  } catch {
    [status, value] = [400, {error: 'the body is not JSON'}];
  }
  const body = value === null ? '' : JSON.stringify(value);
  response.writeHead(
      status, {'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body)});
  response.end(body);
});
server.listen(Number(process.env.PORT), '127.0.0.1');
