// What the page knows, kept up to date; views are told once a frame that something has changed.
import {get, watch} from './api.js';

const mostLines = 1000;  // decisions that are kept
const refresh = 60_000;  // ms between readings of the last hour's activity

export const store = {
  session: null,  // {role, person, people, version}
  connected: false,
  agents: [],
  budgets: [],
  approvals: [],  // that wait
  policy: null,
  activity: null,  // of the last hour
  lines: [],       // the record's last decisions, newest first
  added: 0,        // of all lines so far: tells a view how many are new
  missed: 0,
  rates: [],  // decisions of the last seconds: [second, count]
};

const listeners = new Set();
let scheduled = false;
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
export function changed() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    listeners.forEach((listener) => listener());
  });
}

export const may = {
  decide: () => store.session && store.session.role !== 'viewer',
  stop: () => store.session?.role === 'operator',
};

let stream = null, timer = 0;
const once = {};  // what is being read: asked for again meanwhile, it is read once more

export async function load(name, path, take) {
  if (once[name]) return void (once[name] = 'again');
  once[name] = 'reading';
  try {
    take(await get(path));
    changed();
  } catch (error) {
    if (error.status === 401) signedOut();
  } finally {
    const again = once[name] === 'again';
    delete once[name];
    if (again) load(name, path, take);
  }
}
export const loadApprovals = () => load('approvals', '/v1/approvals', (answer) => {
  store.approvals = answer.approvals.filter((each) => each.state === 'pending');
});
const loadPolicy = () => load('policy', '/v1/policy', (answer) => {
  store.policy = answer;
});
const loadActivity = () => load('activity', '/v1/activity?since=1h', (answer) => {
  store.activity = answer;
});
const loadLines = () => load('lines', '/v1/audit?kind=decision&limit=100', (answer) => {
  addLines(answer.lines.reverse());
});

let onSignedOut = () => {};
export function whenSignedOut(handler) {
  onSignedOut = handler;
}
export function signedOut() {
  stop();
  store.session = null;
  onSignedOut();
}

// In the order of the record. A line that is there already, or is from before, is put in its place.
function addLines(lines) {
  const decisions = lines.filter((line) => line.kind === 'decision');
  const newest = store.lines[0]?.seq ?? 0;
  const fresh = decisions.filter((line) => line.seq > newest).reverse();
  const known = new Set(store.lines.map((line) => line.seq));
  const older = decisions.filter((line) => line.seq <= newest && !known.has(line.seq));
  store.lines = fresh.concat(store.lines);
  if (older.length > 0) store.lines = store.lines.concat(older).sort((a, b) => b.seq - a.seq);
  if (store.lines.length > mostLines) store.lines.length = mostLines;
  store.added += fresh.length;
}

function countLive(lines) {
  const second = Math.floor(Date.now() / 1000);
  const decided = lines.filter((line) => line.kind === 'decision');
  if (store.rates.at(-1)?.[0] === second)
    store.rates.at(-1)[1] += decided.length;
  else
    store.rates.push([second, decided.length]);
  while (store.rates.length > 12) store.rates.shift();
  for (const line of decided) {
    let row = store.activity?.agents.find((each) => each.agent === line.agent);
    if (!row && store.activity && line.agent) {
      const none = () => Array(60).fill(0);
      row = {agent: line.agent, allowed: none(), refused: none(), spent: none(), last: line.time};
      store.activity.agents.push(row);
    }
    if (!row) continue;
    ++(line.decision === 'allow' ? row.allowed : row.refused)[59];
    row.last = line.time;
  }
}

export function start(session) {
  store.session = session;
  stop();
  stream = watch({
    open() {
      store.connected = true;
      loadLines();
      loadApprovals();
      loadPolicy();
      loadActivity();
      changed();
    },
    async lost() {
      store.connected = false;
      changed();
      try {
        if (!(await get('/v1/session')).signed_in) signedOut();
      } catch (error) {
        if (error.status === 401) signedOut();
      }
    },
    lines(lines) {
      addLines(lines);
      countLive(lines);
      const kinds = new Set(lines.map((line) => line.kind));
      if (kinds.has('approval')) loadApprovals();
      if (kinds.has('policy') || kinds.has('pin')) loadPolicy();
      changed();
    },
    missed({lines}) {
      store.missed += lines;
      changed();
    },
    agents(answer) {
      store.agents = answer.agents;
      changed();
    },
    budgets(answer) {
      store.budgets = answer.budgets;
      changed();
    },
    approvals({pending}) {
      if (pending !== store.approvals.length) loadApprovals();
    },
  });
  timer = setInterval(() => document.visibilityState === 'visible' && loadActivity(), refresh);
}
function stop() {
  stream?.stop();
  stream = null;
  clearInterval(timer);
  store.connected = false;
}

// Decisions a second, over the last ten whole seconds.
export function rate() {
  const now = Math.floor(Date.now() / 1000);
  const seen = store.rates.filter(([second]) => second < now && second >= now - 10);
  return seen.reduce((all, [, n]) => all + n, 0) / 10;
}
