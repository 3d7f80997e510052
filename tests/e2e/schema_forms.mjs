// What may stand at each key of a policy, and what may not: the tables of schema_test.mjs.
//
// `good` and `bad` are values of one key; `with` is what the key needs beside it. `undefined` takes
// a key away that the context of schema_test.mjs has put there.

// An agent without fault.
export const agent = {
  owner: 'dana@acme.example',
  purpose: 'Testing',
  team: 'testers',
  roles: ['r']
};
const hash = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

// For each key what may stand there, and what may not; `with` is what it needs beside it.
const glob = {
  good: ['a', 'a*?', ['a', 're:[a-z]+'], '\\[a\\]'],
  bad: ['[a]', '{a}', 'a\\b', [], [['a']]]
};
const date = {
  good: ['2027-03-31'],
  bad: ['2027-13-01', '31.03.2027', 'tomorrow', '2027-3-1', '']
};
const text = {
  good: ['Some text', 42],
  bad: ['', {}, [], null]
};
const texts = {
  good: ['u', ['u', 'v']],
  bad: [[], '', {}, [{}]]
};
const number = {
  good: [0, -1, 0.5, 1e9],
  bad: ['1', 'one', true, null, [1]]
};
const limit = {
  good: [
    '20 USD per day', '0.5 EUR per minute', '500 USD total', '100 calls per hour', '1 call total',
    '9 USD per week', '9 USD per month', '9 USD per quarter', '9 USD per year',
    '100 tokens per day', '1 token total'
  ],
  bad: [
    20, '20 per day', '20 USD', 'USD 20 per day', '-1 USD per day', '1.0000001 USD per day',
    '20 usd per day', '20 USD per fortnight', '1.5 calls per day', '1.5 tokens per day', ''
  ]
};
const zone = {
  good: ['UTC', 'Europe/Berlin', 'Etc/GMT+1'],
  bad: ['', ' ', {}, '+01:00']
};
const oneLimit = {
  good: [
    '60 calls per minute', '1 call per second', '3 repeats per 10m', '1 repeat per week',
    '4 concurrent', '50 steps per session', '1 step per session', '9  calls  per  90d'
  ],
  bad: [
    60, '60', '60 calls', '60 calls per month', '60 calls per 0s', '-1 calls per hour',
    '1.5 calls per hour', '4 concurrent calls', '50 steps per day', '60 calls per session',
    '20 USD per day', '99999999999 calls per day', '', {}
  ]
};
const limits = {
  good: [...oneLimit.good, oneLimit.good],
  bad: [...oneLimit.bad, [], [[]], ['4 concurrent', 'x']]
};
const duration = {
  good: ['30s', '15m', '2h', '90d', '2w', '3650d'],
  bad: [15, '15', 'm', '0s', '00m', '-1m', '1.5h', '15 m', '15min', '1h30m', '99999d', '', [], {}]
};
const truth = {
  good: [true, false],
  bad: ['true', 1, {}]
};
const money = {
  good: ['0.005 USD', '0 EUR', '12 USD'],
  bad: [1, '1', 'USD', '1 usd', '-1 USD', '01 USD', '1. USD', '0.0000001 USD', '']
};
const tokenPrice = {
  good: ['2.50 USD per 1M tokens', '0 USD per 1K tokens'],
  bad: [
    1, '2.50 USD', '2.50 USD per token', '2.50 USD per 1B tokens', '-1 USD per 1M tokens',
    '2.50 usd per 1M tokens', '', []
  ]
};
const count = {
  good: [1, 128000],
  bad: [0, -1, 1.5, 'many', '', [], {}]
};
const nested = {
  good: ['x', 1, true, ['x', 1], {max: 1}, {not: {any: {min: 1}}}],
  bad: [[], {}, {default: 1, is: 1}, null]
};
const word = (...good) => ({good, bad: ['nonsense', '', {}, []]});
const rules = {
  good: [{upstream: 'u'}, [{upstream: 'u'}, {upstream: 'v'}]],
  bad: [[], 'all', {}, [[]]]
};
const selectors = {
  upstream: glob,
  tools: glob,
  resources: glob,
  prompts: glob,
  http: {
    good: [
      'GET /', '* /**', 'GET,HEAD /a/*/b', ['PURGE /x', 're:GET /a/.*'], 'GET re:/a/[0-9]+',
      'GET  /a'
    ],
    bad: ['/a', 'GET', 'get /a', 'GET a', 'GET,, /a', 'GET, /a', 'GET /[a]', 'GET ', []]
  },
  connect: {
    good: ['acme.example:443', '*.Acme.example:*', ['a:1', 're:.*[.]example:443'], '\\[::1\\]:443'],
    bad: ['acme.example', '[::1]:443', 'a\\b:1', [], ''],
    with: {upstream: undefined}
  },
  models: glob,
  methods: {
    good: ['ping', 'completion/*', ['ping', 'tools/list']],
    bad: ['tools/call', ['ping', 'resources/read'], 'prompts/get', []]
  },
  except: {...glob, with: {tools: '*'}},
};
const when = {
  good: [{'args.x': 1}, {'model': 'm'}, {'header.x': 'y', 'time': {days: 'mon'}}],
  bad: [{}, [], 'x', {x: 1}]
};
const rule = {
  ...selectors,
  id: text,
  because: text,
  until: date,
  when,
  mode: word('enforce', 'report'),
  guards: {good: ['pii', ['pii']], bad: [[], '', {}]},
  audit: word('digest', 'redacted', 'full'),
};
const asking = {
  approvers: {good: ['leads'], bad: ['', [], ['leads'], {}]},
  within: {...duration, with: {approvers: 'leads'}},
};
const thenAsk = {
  approvers: {...asking.approvers, with: {then: 'ask'}},
  within: {...duration, with: {then: 'ask', approvers: 'leads'}},
};
const tests = {
  min: number,
  max: number,
  above: number,
  below: number,
  is: {good: ['x', 1, true, ['x', 1]], bad: [[], {}, null, [[1]]]},
  not: nested,
  any: nested,
  all: nested,
  matches: {good: ['[a-z]+'], bad: ['', {}, []]},
  glob: {good: ['a*'], bad: ['[a]', '', {}, ['a']]},
  prefix: {good: ['a'], bad: ['', {}, ['a']]},
  under: {good: ['/', '/data'], bad: ['data', '', {}, ['/data']]},
  host: {good: ['acme.example', ['*.acme.example']], bad: ['[::1]', '', {}, []]},
  present: truth,
  length: {good: [{max: 3}, {min: 1, below: 5}], bad: [3, {}, [], 'x']},
};
const argument = {
  good: ['args.name', 'args.call.0', 'args."a.b"'],
  bad: ['name', 'args', 'args.', 'args.*', 'args.a.*.b', 'args.a..b', '', []]
};
export const byTokens = {
  cost: undefined,
  input: '2.50 USD per 1M tokens',
  output: '10 USD per 1M tokens'
};
export const forms = {
  'policy': {
    version: {good: [1], bad: [2, 'one', 1.5]},
    mode: word('enforce', 'report'),
    unknown_model: word('deny', 'highest'),
    currency: {good: ['USD'], bad: ['usd', 'Dollar', '', {}]},
    upstreams: texts,
    agents: {good: [null, {}, {b: agent}], bad: [[], 'b', {b: {}}, {b: []}]},
    roles: {good: [{r: {}, s: {allow: {upstream: 'u'}}}], bad: [[], 'r', {r: []}, {r: {}, '': {}}]},
    budgets:
        {good: [null, {}, {b: {for: 'everyone', limit: '1 USD total'}}], bad: [[], 'b', {b: {}}]},
    prices: {
      good: [null, [], [{upstream: 'u', cost: '1 USD'}]],
      bad: [{}, 'p', [{}], [{upstream: 'u'}]]
    },
    approvers: {
      good: [null, {}, {leads: {members: 'lee'}}],
      bad: [[], 'lee', {leads: {}}, {leads: 'lee'}]
    },
    guards: {good: [null, {}, {pii: {patterns: 'iban'}}], bad: [[], 'pii', {pii: {}}, {pii: []}]},
    servers: {
      good: [null, {}, {crm: {}}, {crm: {pin: 'crm.lock'}}],
      bad: [[], 'crm', {crm: []}, {'crm*': {}}, {'re:crm': {}}]
    },
  },
  'agent': {
    owner: text,
    purpose: text,
    team: text,
    risk: word('minimal', 'limited', 'high'),
    roles: {good: ['r', ['r']], bad: [[], '', {}]},
    identity: {
      good: [[], [{listener: 'local'}]],
      bad: [{listener: 'local'}, 'x', [{}], [{token_sha256: hash, listener: 'l'}]]
    },
    status: word('active', 'suspended', 'retired'),
    expires: date,
    budget: limit,
    probation: {
      good: [{until: '2027-03-31', limits: ['1 call per minute']}],
      bad: [{}, [], '2027-03-31', {until: '2027-03-31'}, {limits: '4 concurrent'}]
    },
    review: duration,
  },
  'probation': {until: date, limits},
  'identity': {
    token_sha256:
        {good: [hash, hash.toUpperCase()], bad: ['secret', hash.slice(1), `${hash}0`, '']},
    listener: text,
    spiffe: {
      good: ['spiffe://acme.example/agents/jordan', 'spiffe://a-b_c.d/X.y'],
      bad: [
        'https://acme.example/a', 'spiffe://acme.example', 'spiffe://acme.example/',
        'spiffe://Acme.example/a', 'spiffe://a/../b', 'spiffe://a//b', 'spiffe:///a', ''
      ]
    },
    jwt: {
      good: [{issuer: 'i', audience: 'a', subject: 's'}],
      bad: ['i', [], {}, {issuer: 'i', audience: 'a'}]
    },
    unix_uid: {good: [0, 1001, 4294967294], bad: ['root', -1, 1.5, 4294967295, '', []]},
  },
  'jwt': {issuer: text, audience: text, subject: text},
  'role': {
    inherits: {good: ['other', ['other']], bad: [[], '', {}]},
    allow: rules,
    ask: {
      good: [{upstream: 'u', approvers: 'leads'}, [{upstream: 'u', approvers: 'leads'}]],
      bad: [[], 'all', {}, {upstream: 'u'}]
    },
    deny: rules,
    limits,
    guards: rule.guards,
  },
  'allow-rule': rule,
  'ask-rule': {...rule, ...asking},
  'deny-rule': {...rule, hidden: truth},
  'approvers': {
    members: {good: ['lee', ['lee', 'sam']], bad: [[], '', {}, ['lee', 'lee']]},
    need: {good: [1, 2], bad: [0, -1, 1.5, 'all', []]},
    not_owner: truth,
  },
  'budget': {
    ...selectors,
    for: {
      good: ['everyone', {team: 'testers'}],
      bad: ['nobody', {}, [], {agent: 'a', team: 'testers'}]
    },
    limit,
    zone,
    warn: {good: ['1%', '80%', '100%'], bad: [80, '80', '0%', '101%', '8.5%', '%', '', {}]},
    then: {good: ['deny'], bad: ['redact', 'ask', '', {}]},
    ...thenAsk,
    when,
  },
  'scope': {
    agent: {good: ['a'], bad: ['', {}, []]},
    role: {good: ['r'], bad: ['', {}, []]},
    team: {good: ['testers'], bad: ['', {}, []]},
    each: word('agent', 'team'),
  },
  'price': {
    ...selectors,
    when,
    since: date,
    cost: {
      good: [...money.good, {from: 'args.amount', max: '1 USD'}],
      bad: [...money.bad, {}, [], {from: 'args.amount'}]
    },
    input: {...tokenPrice, with: {cost: undefined, output: '1 USD per 1M tokens'}},
    output: {...tokenPrice, with: {cost: undefined, input: '1 USD per 1M tokens'}},
    cached_input: {...tokenPrice, with: byTokens},
    cache_write: {...tokenPrice, with: byTokens},
    context: {...count, with: byTokens},
    max_output: {...count, with: byTokens},
  },
  'cost': {
    from: {
      good: ['args.amount', 'args.a.0.b', 'args."a.b".c'],
      bad: ['amount', 'args', 'args.', 'args.a..b', 'args.*.a', 'query.a', 'result.cost', '', []]
    },
    max: money,
    reserve: {...money, with: {from: 'result._meta.cost', max: undefined}},
  },
  'guard': {
    patterns: {
      good: [
        'email', ['email', 'phone', 'us-ssn', 'credit-card', 'iban'],
        [{name: 'employee-id', regex: 'E\\d{6}'}]
      ],
      bad: ['emial', [], [[]], '', {}, [{name: 'x'}], [{regex: 'x'}]]
    },
    fields: {
      good: ['customer.name', ['*.birth_date', 'rows.*.0', '"a.b".c']],
      bad: [[], '', 'a..b', '.a', 'a.', ['a"b'], {}]
    },
    on: word('arguments', 'result', 'both'),
    then: {good: ['redact', 'deny'], bad: ['mask', 'ask', '', []]},
    ...thenAsk,
  },
  'own-pattern': {
    name: {good: ['employee-id'], bad: ['email', '', [], {}]},
    regex: text,
  },
  'server': {
    pin: text,
    on_drift: word('deny', 'report'),
    dispatch: {
      good: [{invoke: {tool: 'args.name'}}, {a: {tool: 'args.n', args: 'args.a'}}],
      bad: [{}, [], 'invoke', {invoke: {}}, {invoke: {args: 'args.a'}}, {'in*': {tool: 'args.n'}}]
    },
  },
  'dispatch': {
    tool: argument,
    args: argument,
  },
  'when': {
    model: {good: ['gpt-4o', ['a', 'b'], {glob: 'gpt-*'}], bad: [true, [], {}, null]},
    time: {good: [{days: ['mon-fri', 'sun']}], bad: [{}, 'mon', [], {zone: 'UTC'}]},
  },
  'value-tests': {...tests, default: {good: ['x', 1, true], bad: [[], {}, null], with: {is: 'x'}}},
  'tests': tests,
  'time': {
    days: {
      good: ['mon', 'mon-fri', 'sat-sun', ['sat', 'sun']],
      bad: ['monday', 'Mon', 'mon-', '', []]
    },
    hours: {
      good: ['09:00-18:00', '22:00-06:00', '00:00-24:00'],
      bad: ['9-18', '09:00', '25:00-26:00', '09:60-10:00', '24:00-01:00', '']
    },
    zone: {...zone, with: {days: 'mon'}},
  },
};
