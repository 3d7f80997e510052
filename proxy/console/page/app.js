// The console: signing in, and one view at a time by the address after `#`.
import {agentsView} from './agents.js';
import {ask, get, post} from './api.js';
import {approvalsView} from './approvals.js';
import {fill, h, text} from './dom.js';
import {liveView} from './live.js';
import {policyView} from './policy.js';
import {recordView} from './record.js';
import {signedOut, start, store, subscribe, whenSignedOut} from './store.js';

const views = {
  agents: ['Agents', agentsView],
  approvals: ['Approvals', approvalsView],
  live: ['Live', liveView],
  policy: ['Policy', policyView],
  record: ['Record', recordView],
};
const main = document.getElementById('main'), nav = document.getElementById('nav'),
      who = document.getElementById('who');
const badge = h('span', {class: 'count', hidden: true}),
      badgeWords = h('span', {class: 'hidden'}, ' waiting');
const state = h('span', {class: 'state-dot', role: 'status'});
let view = null;

function unescaped(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

function route() {
  if (!store.session) return;
  const [path, search] = location.hash.slice(1).split('?');
  const [name, ...rest] = path.split('/').map(unescaped);
  const known = Object.hasOwn(views, name) ? name : 'agents';
  view?.end();
  for (const link of nav.querySelectorAll('a'))
    link.getAttribute('href') === `#${known}` ? link.setAttribute('aria-current', 'page') :
                                                link.removeAttribute('aria-current');
  document.title = `${views[known][0]} · reeve`;
  view = views[known][1](main, rest, new URLSearchParams(search));
  view.update();
  scrollTo(0, 0);
}

function update() {
  const waiting = store.approvals.length;
  badge.hidden = waiting === 0;
  text(badge.firstChild ?? badge.appendChild(document.createTextNode('')), String(waiting));
  state.className = `state-dot ${store.connected ? 'on' : 'off'}`;
  text(state, store.connected ? 'Live' : 'Connecting…');
  view?.update();
}

function showSignIn() {
  view?.end();
  view = null;
  nav.hidden = who.hidden = true;
  document.title = 'Sign in · reeve';
  const token =
      h('input',
        {id: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false', required: true});
  const wrong = h('p', {class: 'error', role: 'alert'}),
        go = h('button', {type: 'submit', class: 'primary'}, 'Sign in');
  fill(
      main,
      h('section', {class: 'card sign-in'}, h('h2', {}, 'Sign in'),
        h('p', {class: 'sub'}, `The console of the sidecar at ${location.host}`),
        h('form', {
          onsubmit: async (event) => {
            event.preventDefault();
            go.disabled = true;
            try {
              await post('/v1/session', {token: token.value});
              token.value = '';
              await begin();
            } catch (error) {
              text(wrong, error.status === 401 ? 'This is nobody’s token.' : error.message);
              token.focus();
            }
            go.disabled = false;
          }
        },
          h('label', {for: 'token'
          }, 'Your token, or the admin token'), token, wrong, go)));
  token.focus();
}

function showSignedIn() {
  const {person, role} = store.session;
  fill(
      nav,
      h('ul', {},
        Object.entries(views).map(
            ([name, [label]]) =>
                h('li', {},
                  h('a', {href: `#${name}`}, label,
                    name === 'approvals' ? [badge, badgeWords] : null)))));
  fill(
      who, state,
      h('span', {class: 'person'}, person ?? 'admin token', h('span', {class: 'sub'}, role)),
      h('button', {
        type: 'button',
        class: 'quiet',
        onclick: async () => {
          await ask('DELETE', '/v1/session').catch(() => {});
          signedOut();
        }
      },
        'Sign out'));
  nav.hidden = who.hidden = false;
}

async function begin() {
  const session = await get('/v1/session');
  if (!session.signed_in) return showSignIn();
  start(session);
  showSignedIn();
  route();
  update();
}

document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
subscribe(update);
whenSignedOut(showSignIn);
addEventListener('hashchange', route);
begin().catch(showSignIn);
