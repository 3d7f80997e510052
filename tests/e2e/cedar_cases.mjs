// Policies of the part of the language that says the same in Cedar, in both languages, and calls
// with a Cedar request for each.
//
// A test of a value becomes two Cedar expressions, when it holds and when it fails; where neither
// does it is in doubt. `permit` asks that all hold and `forbid` that none fails, so that doubt
// means the same in both. Of a value that is always there the expressions are what anyone would
// write (`context.args.amount <= 5`); any other is guarded by `has`, as Cedar skips a policy that
// stumbles over an absent one.
//
// What Cedar cannot say stays out: `?`, expressions, `**` before other segments, patterns for the
// items of a list, `length`, fractions, null.
const raw = (number) => JSON.rawJSON(String(number));

// The same numbers for the same seed (mulberry32).
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let x = this.state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  }
  below(n) {
    return this.next() % n;
  }
  chance(percent) {
    return this.below(100) < percent;
  }
  pick(list) {
    return list[this.below(list.length)];
  }
  // Between `least` and `most` of them, without repeats, in their order.
  some(list, least, most) {
    const count = Math.min(list.length, least + this.below(most - least + 1));
    const left = [...list.keys()];
    while (left.length > count) left.splice(this.below(left.length), 1);
    return left.map((index) => list[index]);
  }
}

// ---- Cedar's text

const quote = (text) =>
    `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
const and = (...parts) => parts.length === 0 ? 'true' : `(${parts.join(' && ')})`;
const or = (...parts) => parts.length === 0 ? 'false' : `(${parts.join(' || ')})`;
const not = (part) => `!(${part})`;

// ---- globs: a list of characters and kStar

const kStar = Symbol('*');
const escaped = (c) => /[*?[\]{}\\]/.test(c) ? `\\${c}` : c;
const toGlob = (glob) => glob.map((c) => c === kStar ? '*' : escaped(c)).join('');
const likeCharacter = (c) => c === kStar ? '*' : c === '*' ? '\\*' : quote(c).slice(1, -1);
const toLike = (glob) => `"${glob.map(likeCharacter).join('')}"`;
const literal = (text) => [...text];

// `text` itself, or with some run of its characters behind a star.
function globOf(random, text) {
  const glob = literal(text);
  if (random.chance(40)) return glob;
  for (let stars = 1 + random.below(2); stars > 0; --stars) {
    const begin = random.below(glob.length + 1);
    glob.splice(begin, random.below(glob.length - begin + 1), kStar);
  }
  return glob;
}
const matches = (value, glob) =>
    glob.includes(kStar) ? `${value} like ${toLike(glob)}` : `${value} == ${quote(glob.join(''))}`;
const oneOf = (value, globs) => or(...globs.map((glob) => matches(value, glob)));

// ---- what there is to call

const upstreams = ['crm', 'crm-eu', 'kb', 'files'];
// Characters that one of the two languages escapes are in some of them.
const names = {
  tools: [
    'tickets.get',
    'tickets.list',
    'tickets.reply',
    'tickets.purge',
    'customers.get',
    'customers.purge',
    'get',
    'a*b',
    'a\\*b',
    'a**',
    'a?b',
    'a[0]',
    '{a}',
    'say "hi"',
    'it\'s',
    'naïve.get',
    '工具.get',
    '😀',
    '#1',
    'true',
    '42',
    'null',
    '- x',
    'x: y'
  ],
  resources: [
    'doc:/hr/pay', 'doc:/hr/leave', 'doc:/it/vpn', 'doc:/it/*', 'doc:/it/[1]', 'crm:case/42',
    'crm:case/7', 'crm:全部'
  ],
  prompts: ['greet', 'greet-all', 'summary', 'résumé', 'a*']
};
const actions = {
  tools: 'tools/call',
  resources: 'resources/read',
  prompts: 'prompts/get'
};
const keys = {
  tools: 'tool',
  resources: 'resource',
  prompts: 'prompt'
};
const methods = ['GET', 'HEAD', 'POST', 'DELETE'];
const segments = ['customers', 'customer', 'orders', '42', '7', 'café', 'a*', 'x+y'];
const mostSegments = 4;

// ---- selectors: {yaml, cedar}

// Of `PATH`: how many segments, what each is, and whether more may follow.
function pathGlob(random) {
  const count = random.below(mostSegments);
  const globs = Array.from({length: count}, () => globOf(random, random.pick(segments)));
  // Two stars with nothing between them would be `**`.
  const parts = globs.map((glob) => glob.filter((c, i) => c !== kStar || glob[i - 1] !== kStar));
  const open = random.chance(40);
  const yaml = `/${[...parts.map(toGlob), ...(open ? ['**'] : [])].join('/')}`;
  const cedar =
      and(`context.path.count ${open ? '>=' : '=='} ${count}`,
          ...parts.map(
              (glob, i) => glob.length === 1 && glob[0] === kStar ?
                  `context.path has s${i}` :
                  matches(`context.path.s${i}`, glob)));
  return {yaml, cedar};
}

function httpGlob(random) {
  const path = pathGlob(random);
  if (random.chance(30)) return {yaml: `* ${path.yaml}`, cedar: path.cedar};
  const some = random.some(methods, 1, 3);
  const action = `action in [${some.map((method) => `Action::${quote(method)}`).join(', ')}]`;
  return {yaml: `${some.join(',')} ${path.yaml}`, cedar: and(action, path.cedar)};
}

function patterns(random, kind, most) {
  if (kind === 'http') {
    const some = Array.from({length: 1 + random.below(most)}, () => httpGlob(random));
    return {yaml: some.map((each) => each.yaml), cedar: or(...some.map((each) => each.cedar))};
  }
  const some =
      Array.from({length: 1 + random.below(most)}, () => globOf(random, random.pick(names[kind])));
  return {yaml: some.map(toGlob), cedar: oneOf('resource.name', some)};
}
const listOrOne = (random, list) => list.length === 1 && random.chance(50) ? list[0] : list;

function upstreamSelector(random) {
  if (random.chance(60)) {
    const some = random.some(upstreams, 1, 4);
    const cedar = some.length === 1 ?
        `resource in Upstream::${quote(some[0])}` :
        `resource in [${some.map((name) => `Upstream::${quote(name)}`).join(', ')}]`;
    return {yaml: listOrOne(random, some), cedar};
  }
  const some =
      Array.from({length: 1 + random.below(2)}, () => globOf(random, random.pick(upstreams)));
  return {yaml: listOrOne(random, some.map(toGlob)), cedar: oneOf('resource.upstream', some)};
}

// ---- conditions

// A value of the arguments. `always`: every tool call has it.
const values = [
  {path: ['level'], type: 'int', always: true},
  {path: ['amount'], type: 'int'},
  {path: ['serial'], type: 'big', always: true},
  {path: ['currency'], type: 'text', always: true},
  {path: ['note'], type: 'text'},
  {path: ['urgent'], type: 'bool', always: true},
  {path: ['dry'], type: 'bool'},
  {path: ['ref'], type: 'any', always: true},
  {path: ['tags'], type: 'set', always: true},
  {path: ['customer', 'tier'], type: 'text', always: true},
  {path: ['customer', 'address', 'zip'], type: 'int'},
  {path: ['a.b'], type: 'int', always: true},
];
const texts =
    ['USD', 'EUR', 'EURO', '', 'a*', 'a\\', '1', 'true', 'say "hi"', 'größe', '😀😀', 'a\nb'];
const tags = ['a', 'b', 'c', 'a*'];
// Neighbours that are one and the same as a double, and the ends of Cedar's numbers. Cedar's wasm
// takes numbers as doubles: it is given both halves.
const bigs = [
  2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n - 2n, -(2n ** 53n) - 1n,
  -(2n ** 53n), -(2n ** 63n), 1n - 2n ** 63n, 0n
];
const halves = (big) => ({high: Number(big >> 32n), low: Number(big & 0xffff_ffffn)});

const valueOf = {
  int: (random) => random.below(7) - 2,
  big: (random) => random.pick(bigs),
  text: (random) => random.pick(texts),
  bool: (random) => random.chance(50),
  any: (random) => random.pick([1, '1', true, 'true', 0, false]),
  set: (random) => random.some(tags, 1, 3),
};
// The same number in one of the ways that JSON writes it.
const spelled = (random, number) => random.chance(70) ? raw(number) :
    Number(number) === 0                              ? raw(random.pick(['-0', '0.0', '0e5'])) :
                           raw(random.pick([`${number}.0`, `${number}e0`, `${number}0E-1`]));
const toYaml = (random, value) =>
    typeof value === 'bigint' || typeof value === 'number' ? spelled(random, value) : value;
const toCedar = (value) => typeof value === 'string' ? quote(value) : String(value);

// {yaml, holds, fails} of one test: the members of its map, and the two expressions of `value`, a
// Cedar expression that cannot fail.
const exactly = (yaml, holds) => ({yaml, holds, fails: not(holds)});

function numberTest(random, value, type) {
  const [key, operator] =
      random.pick([['min', '>='], ['max', '<='], ['above', '>'], ['below', '<']]);
  const bound = valueOf[type](random);
  return exactly({[key]: toYaml(random, bound)}, `${value} ${operator} ${bound}`);
}

function isTest(random, value, type) {
  const some = Array.from({length: 1 + random.below(3)}, () => valueOf[type](random));
  const holds = some.length === 1 ? `${value} == ${toCedar(some[0])}` :
                                    `[${some.map(toCedar).join(', ')}].contains(${value})`;
  return exactly({is: listOrOne(random, some.map((each) => toYaml(random, each)))}, holds);
}

function textTest(random, value) {
  if (random.chance(40)) return isTest(random, value, 'text');
  const text = random.pick(texts.filter((each) => /^[^\n]+$/.test(each)));  // as patterns must be
  if (random.chance(50)) {
    const glob = globOf(random, text);
    return exactly({glob: toGlob(glob)}, `${value} like ${toLike(glob)}`);
  }
  const prefix = literal(text).slice(0, 1 + random.below(literal(text).length));
  return exactly({prefix: prefix.join('')}, `${value} like ${toLike([...prefix, kStar])}`);
}

// Of a list that is not empty: some item, all items, or all alike.
function setTest(random, value) {
  const some = random.some(tags, 1, 3);
  const set = `[${some.map(toCedar).join(', ')}]`;
  const all = `${set}.containsAll(${value})`;
  const any = `${set}.containsAny(${value})`;
  const is = listOrOne(random, some);
  if (random.chance(35)) return exactly({any: random.chance(50) ? is : {is}}, any);
  if (random.chance(50)) return exactly({all: random.chance(50) ? is : {is}}, all);
  return {yaml: {is}, holds: all, fails: not(any)};
}

function oneTest(random, value, type) {
  if (type === 'set') return setTest(random, value);
  if (type === 'text') return textTest(random, value);
  if (type === 'any' || type === 'bool' || random.chance(30)) return isTest(random, value, type);
  return numberTest(random, value, type);
}

// The plain form of `{is: …}` and of `{is: […]}`, half of the time.
const shortened = (random, yaml) =>
    Object.keys(yaml).length === 1 && 'is' in yaml && random.chance(50) ? yaml.is : yaml;

const negated = (random, test) =>
    ({yaml: {not: shortened(random, test.yaml)}, holds: test.fails, fails: test.holds});

// Both tests in one map; the second counts only for keys that the first does not have.
const joined = (a, b) => Object.keys(b.yaml).some((key) => key in a.yaml) ?
    a :
    {yaml: {...a.yaml, ...b.yaml}, holds: and(a.holds, b.holds), fails: or(a.fails, b.fails)};

const isWord = (key) => /^\w+$/.test(key);
const step = (place, key) => isWord(key) ? `${place}.${key}` : `${place}[${quote(key)}]`;
const whereIs = (path) => path.reduce(step, 'context.args');
const isThere = (path) => and(...path.map((key, i) => {
  const place = whereIs(path.slice(0, i));
  return `${place} has ${isWord(key) ? key : quote(key)}`;
}));
const written = (path) => `args.${path.map((key) => /\./.test(key) ? `"${key}"` : key).join('.')}`;
const cedarValue = ({path, type}) =>
    type === 'big' ? `(${whereIs(path)}.high * 4294967296 + ${whereIs(path)}.low)` : whereIs(path);

// [name, what it must be, holds, fails]. `always`: the rule sees no call without arguments.
function valueCondition(random, always) {
  const value = random.pick(values);
  const there = isThere(value.path);
  const make = (expression) => {
    let test = oneTest(random, expression, value.type);
    if (random.chance(25)) test = joined(test, oneTest(random, expression, value.type));
    return random.chance(20) ? negated(random, test) : test;
  };
  const done = (test) => [written(value.path), test];
  if (always && value.always) return done(make(cedarValue(value)));
  if (random.chance(15)) {
    const present = random.chance(60);
    const holds = present ? there : not(there);
    return done(exactly({present}, holds));
  }
  if (random.chance(20) && value.type !== 'set') {
    const stand = valueOf[value.type](random);
    const test = make(`(if ${there} then ${cedarValue(value)} else ${toCedar(stand)})`);
    return done({...test, yaml: {...test.yaml, default: toYaml(random, stand)}});
  }
  const bare = make(cedarValue(value));
  const test = {yaml: bare.yaml, holds: and(there, bare.holds), fails: and(there, bare.fails)};
  if (random.chance(50)) return done(test);
  const guard = exactly({present: true}, there);
  return done(joined(guard, test));
}

const days = ['2026-06-30', '2026-07-01', '2026-12-31'];
const dayAfter = (day) => new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);
const instants = [
  ...days.flatMap(
      (day) =>
          [`${day}T00:00:00Z`, `${day}T08:59:59Z`, `${day}T09:00:00Z`, `${day}T17:59:59Z`,
           `${day}T18:00:00Z`, `${day}T23:59:59Z`]),
  '2027-01-01T00:00:00Z'
];

function timeCondition(random) {
  const [from, to] = random.pick([[9, 18], [18, 9], [0, 9], [18, 24]]);
  const hour = (h) => `${String(h).padStart(2, '0')}:00`;
  const join = from < to ? and : or;
  const holds = join(
      `context.now.toTime() >= duration("${from}h")`, `context.now.toTime() < duration("${to}h")`);
  return ['time', exactly({hours: `${hour(from)}-${hour(to)}`}, holds)];
}

function conditions(random, kind) {
  if (!random.chance(65)) return {holds: [], fails: []};
  const reads = ['tools', 'http', undefined].includes(kind);
  const when = {};
  const holds = [];
  const fails = [];
  for (let count = 1 + random.below(2); count > 0; --count) {
    const [name, test] = !reads || random.chance(10) ? timeCondition(random) :
                                                       valueCondition(random, kind === 'tools');
    if (name in when) continue;
    when[name] = shortened(random, test.yaml);
    holds.push(test.holds);
    fails.push(test.fails);
  }
  return {when, holds, fails};
}

// ---- rules, roles, agents

const kinds = ['tools', 'tools', 'tools', 'http', 'resources', 'prompts', undefined];

function makeRule(random, id, role, effect) {
  const kind = random.pick(kinds);
  const upstream = upstreamSelector(random);
  const yaml = {id, upstream: upstream.yaml};
  const selects = [upstream.cedar];
  let scope = 'action';
  if (kind) {
    const chosen = patterns(random, kind, 3);
    yaml[kind] = listOrOne(random, chosen.yaml);
    selects.push(chosen.cedar);
    // Among Cedar's actions the methods of HTTP are a group.
    scope = kind === 'http' ? 'action in Action::"http"' : `action == Action::"${actions[kind]}"`;
    if (random.chance(25)) {
      const out = patterns(random, kind, 2);
      yaml.except = listOrOne(random, out.yaml);
      selects.push(not(out.cedar));
    }
  }
  const {when, holds, fails} = conditions(random, kind);
  if (when) yaml.when = when;
  if (random.chance(10)) {
    yaml.until = random.pick(days);
    selects.push(`context.now < datetime("${dayAfter(yaml.until)}")`);
  }
  const clauses = [`when { ${selects.join(' && ')} }`];
  if (effect === 'allow') clauses.push(...holds.map((each) => `when { ${each} }`));
  if (effect === 'deny') clauses.push(...fails.map((each) => `unless { ${each} }`));
  const word = effect === 'allow' ? 'permit' : 'forbid';
  const cedar =
      `${word}(principal in Role::${quote(role)}, ${scope}, resource)\n  ${clauses.join('\n  ')};`;
  return {yaml, cedar};
}

// An agent that is not active is refused whatever its roles say.
const states = {
  'state-status': 'forbid(principal, action, resource) unless { principal.status == "active" };',
  'state-expires': 'forbid(principal, action, resource)\n  when { principal has expires && ' +
      'context.now >= principal.expires };',
};

// `files` by name and `cedar` by the ids of rules, which `order` has as they stand in the files;
// `agents`, and of each role its `parents`.
export function makePolicy(random) {
  const roleNames = ['r0', 'r1', 'r2', 'r3'];
  const cedar = {...states};
  const order = [];
  const roles = {};
  const parents = {};
  for (const [index, role] of roleNames.entries()) {
    const inherits = random.some(roleNames.slice(index + 1), 0, 2);
    parents[role] = inherits;
    roles[role] = inherits.length > 0 ? {inherits} : {};
    for (const effect of ['allow', 'deny']) {
      const count = effect === 'allow' ? 2 + random.below(6) : random.below(4);
      const rules = Array.from({length: count}, (_, i) => {
        const id = `${role}-${effect}-${i}`;
        const rule = makeRule(random, id, role, effect);
        cedar[id] = rule.cedar;
        order.push(id);
        return rule.yaml;
      });
      if (rules.length > 0) roles[role][effect] = listOrOne(random, rules);
    }
  }
  const agents = {};
  for (const name of ['a0', 'a1', 'a2', 'a3']) {
    const status = random.chance(90) ? 'active' : random.pick(['suspended', 'retired']);
    const expires = random.chance(15) ? random.pick(days) : undefined;
    agents[name] = {
      owner: 'dana@acme.example',
      purpose: 'Testing',
      team: 'testers',
      roles: random.some(roleNames, 1, 2),
      status,
      ...(expires && {expires})
    };
  }
  // One file, or a folder with a file for each role.
  const files =
      random.chance(75) ? {'policy.yaml': JSON.stringify({agents, roles})} : Object.fromEntries([
        ['a.yaml', JSON.stringify({agents})],
        ...roleNames.map((role) => [`${role}.yaml`, JSON.stringify({roles: {[role]: roles[role]}})])
      ]);
  return {files, cedar, order, agents, parents};
}

// ---- calls

// Arguments as {yaml, cedar}: the same, but for how numbers are written.
function makeArguments(random) {
  const yaml = {};
  const cedar = {};
  for (const {path, type, always} of values) {
    if (!always && random.chance(40)) continue;
    const value = valueOf[type](random);
    let [inYaml, inCedar] = [yaml, cedar];
    for (const key of path.slice(0, -1)) {
      inYaml = inYaml[key] ??= {};
      inCedar = inCedar[key] ??= {};
    }
    inYaml[path.at(-1)] = toYaml(random, value);
    inCedar[path.at(-1)] = type === 'big' ? halves(value) : value;
  }
  return {yaml, cedar};
}

function makePath(random) {
  const parts = Array.from({length: random.below(mostSegments + 1)}, () => random.pick(segments));
  const slash = parts.length > 0 && random.chance(10) ? '/' : '';
  const yaml = `/${parts.map(encodeURIComponent).join('/')}${slash}`;
  const cedar = {count: parts.length};
  parts.forEach((part, i) => {
    cedar[`s${i}`] = part;
  });
  return {yaml, cedar};
}

const uid = (type, id) => ({type, id});
const agentEntity = (name, agent) => ({
  uid: uid('Agent', name),
  attrs: {
    status: agent.status,
    ...(agent.expires && {expires: {__extn: {fn: 'datetime', arg: dayAfter(agent.expires)}}})
  },
  parents: agent.roles.map((role) => uid('Role', role))
});

// {agent, call, request}: a call as tests.yaml has it, and as Cedar is asked about it.
export function makeCall(random, policy) {
  const agent = random.chance(1) ? 'stranger' : random.pick(Object.keys(policy.agents));
  const upstream = random.pick(upstreams);
  const kind = random.pick(['tools', 'tools', 'tools', 'tools', 'http', 'resources', 'prompts']);
  const at = random.pick(instants);
  const call = {upstream, at};
  const context = {args: {}, now: {__extn: {fn: 'datetime', arg: at}}};
  const target = {upstream};
  let action = actions[kind];
  if (kind === 'http') {
    const path = makePath(random);
    action = random.pick(methods);
    call.http = `${action} ${path.yaml}`;
    context.path = path.cedar;
  } else {
    target.name = random.pick(names[kind]);
    call[keys[kind]] = target.name;
  }
  if (kind === 'tools' || (kind === 'http' && random.chance(60))) {
    const args = makeArguments(random);
    call[kind === 'tools' ? 'args' : 'body'] = args.yaml;
    context.args = args.cedar;
  }
  const entities = [
    agentEntity(agent, policy.agents[agent] ?? {status: 'active', roles: []}),
    ...Object.entries(policy.parents).map(([role, inherits]) => ({
                                            uid: uid('Role', role),
                                            attrs: {},
                                            parents: inherits.map((each) => uid('Role', each))
                                          })),
    {uid: uid('Target', 't'), attrs: target, parents: [uid('Upstream', upstream)]},
    ...(kind === 'http' ?
            [{uid: uid('Action', action), attrs: {}, parents: [uid('Action', 'http')]}] :
            []),
  ];
  const request = {
    principal: uid('Agent', agent),
    action: uid('Action', action),
    resource: uid('Target', 't'),
    context,
    entities,
    validateRequest: false
  };
  return {agent, call, request};
}
