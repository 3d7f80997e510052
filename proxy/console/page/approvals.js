// Calls that wait for a person, with all that somebody must see to say yes; and what was said
// before.
import {get, post} from './api.js';
import {fill, h, keyed, say, text, visible} from './dom.js';
import {amount, count, left, place, time} from './format.js';
import {badge, members} from './lines.js';
import {loadApprovals, may, store} from './store.js';

// Arguments as plainly as they can be shown: an object's members one by one, the rest as it came.
function plainly(approval) {
  if (!approval.arguments) return h('p', {class: 'sub'}, 'without arguments');
  const shown = new TextEncoder().encode(approval.arguments).length;
  const cut = approval.arguments_bytes > shown ?
      h('p', {class: 'error'},
        `Only the beginning is shown: it has ${count(approval.arguments_bytes)} bytes in all.`) :
      null;
  let value;
  try {
    value = JSON.parse(approval.arguments);
  } catch { /* cut, or another form */
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value) ||
      Object.keys(value).length === 0)
    return [
      h('pre', {tabindex: 0},
        value === undefined ? approval.arguments : JSON.stringify(value, null, 2)),
      cut
    ];
  return [
    h('dl', {class: 'arguments'},
      Object.entries(value).map(
          ([name, each]) =>
              [h('dt', {}, name),
               h('dd', {},
                 typeof each === 'string' ?
                     h('span', {class: 'text'}, each) :
                     h('code', {},
                       typeof each === 'object' ? JSON.stringify(each, null, 2) : String(each)))])),
    cut
  ];
}

const asked = (approval) => [...new Set(approval.rules.flatMap((rule) => rule.members))];

// Why this person cannot answer, or nothing.
function hindrance(approval) {
  const {person, people} = store.session;
  if (!may.decide()) return 'A viewer looks and decides nothing.';
  if (!person && people)
    return 'The admin token answers for nobody where reeve.yaml names people: sign in with your own.';
  if (person && !asked(approval).includes(person)) return 'You are not among those who are asked.';
  if (person && approval.owner === person &&
      approval.rules.every((rule) => rule.not_owner || !rule.members.includes(person)))
    return 'You own this agent: others decide.';
  if (person && approval.votes.some((vote) => vote.approver === person))
    return 'You have answered; others are still asked.';
  return '';
}

function answerForm(approval) {
  const id = approval.approval;
  const why = h('input', {id: `why-${id}`, maxlength: 500, autocomplete: 'off'});
  const stands = !store.session.person;
  const as = stands ?
      h('select', {id: `as-${id}`, required: true}, h('option', {value: ''}, 'Choose…'),
        asked(approval).map((each) => h('option', {value: each}, each))) :
      null;
  const wrong = h('p', {class: 'error', role: 'alert'});
  const say_ = async (verb) => {
    if (as &&! as.value) {
      text(wrong, 'Say for whom you answer.');
      return as.focus();
    }
    buttons.forEach((each) => each.disabled = true);
    try {
      const answer = await post(
          `/v1/approvals/${encodeURIComponent(id)}/${verb}`,
          {...(as && {as: as.value}), ...(why.value && {why: why.value})});
      say(answer.state === 'pending' ? 'Counted; more people are asked.' :
                                       `${approval.agent}: ${answer.state}`);
      loadApprovals();
      if (answer.state === 'pending') return;
      document.getElementById('main').focus();
    } catch (error) {
      text(wrong, error.message);
      if (error.status === 409) loadApprovals();
    }
    buttons.forEach((each) => each.disabled = false);
  };
  const label = `${approval.agent}, ${approval.target ?? approval.action}`;
  const buttons = [
    h('button', {
      type: 'button',
      class: 'primary',
      'aria-label': `Approve ${label}`,
      onclick: () => say_('approve')
    },
      'Approve'),
    h('button',
      {type: 'button', class: 'danger', 'aria-label': `Deny ${label}`, onclick: () => say_('deny')},
      'Deny')
  ];
  return h('div', {class: 'answer'},
      as ? h('div', {class: 'field'}, h('label', {for: `as-${id}`}, 'Answer as'), as) : null,
      h('div', {class: 'field grow'}, h('label', {for: `why-${id}`}, 'Why (recorded, optional)'), why),
      h('div', {class: 'actions'}, buttons), wrong);
}

function votesOf(approval) {
  return approval.votes.map(
      (vote) =>
          h('li', {}, badge(vote.verdict === 'yes' ? 'approved' : 'denied'), ` ${vote.approver}`,
            vote.why ? h('span', {class: 'sub'}, vote.why) : null));
}

function fact(name, ...value) {
  return value.some(Boolean) ? [h('dt', {}, name), h('dd', {}, value)] : null;
}

function card(approval) {
  const rest = h('strong', {class: 'left'}), votes = h('ul', {class: 'plain-list'}),
        foot = h('div', {});
  const rules = approval.rules.map(
      (rule) =>
          h('li', {}, rule.because ?? 'People are asked.',
            h('span', {class: 'sub'},
              `${rule.rule}${rule.at ? ` · ${place(rule.at)}` : ''} · ${rule.need} of ${
                  rule.members.join(', ')}${rule.not_owner ? ', not the owner' : ''}`)));
  const technical = [
    'approval', 'call', 'args_sha256', 'tool_sha256', 'policy', 'session', 'trace', 'listener',
    'path', 'query', 'content_type', 'dispatch'
  ];
  const element = h(
      'article', {class: 'card approval', id: `approval-${approval.approval}`, tabindex: -1},
      h('div', {class: 'card-head'},
        h('h3', {}, h('span', {}, approval.agent), h('span', {class: 'wants'}, ' wants '),
          h('span', {class: 'target'}, approval.target ?? approval.action)),
        h('span', {class: 'time-left'}, rest, ' left')),
      h('div', {class: 'halves'},
        h('div', {}, h('h4', {}, 'What'),
          h('dl', {class: 'facts'}, fact('Call', `${approval.upstream ?? ''} · ${approval.action}`),
            fact('Query', approval.query),
            fact(
                'Costs at most',
                approval.cost ? amount(approval.cost, approval.currency) :
                                'nothing that has a price')),
          plainly(approval)),
        h('div', {}, h('h4', {}, 'Who'),
          h('dl', {class: 'facts'}, fact('Purpose', approval.purpose),
            fact('Owner', approval.owner), fact('Team', approval.team),
            fact('Roles', approval.roles), fact('Risk', approval.risk)),
          h('h4', {}, 'Why you are asked'), h('ul', {class: 'plain-list'}, rules),
          h('h4', {}, 'What it did before'),
          approval.before?.length > 0 ? h('ol', {class: 'plain-list before'},
                                          approval.before.map(
                                              (line) => h(
                                                  'li', {}, badge(line.decision),
                                                  h('span', {}, `${line.target ?? line.action}`),
                                                  h('span', {class: 'sub'},
                                                    `${time(line.time)} · ${line.upstream ?? ''} ${
                                                        line.rule ?? line.reason ?? ''}`)))) :
                                        h('p', {class: 'sub'}, 'nothing lately'),
          votes)),
      h('details', {}, h('summary', {}, 'All that the yes is bound to'),
        members(Object.fromEntries(
            technical.filter((each) => approval[each]).map((each) => [each, approval[each]])))),
      foot);
  let drawn = null;
  return {
    element,
    update(now) {
      text(rest, left(now.expires));
      const key = JSON.stringify([now.votes, hindrance(now)]);
      if (drawn === key) return;
      drawn = key;
      fill(votes, votesOf(now));
      const why = hindrance(now);
      fill(foot, why ? h('p', {class: 'note'}, why) : answerForm(now));
    }
  };
}

export function approvalsView(root, [id]) {
  const list = h('div', {class: 'cards'}),
        none = h('p', {class: 'note'}, 'Nothing waits for a person.');
  const past = h('div', {});
  const history =
      h('details', {class: 'card', ontoggle: () => history.open && loadPast()},
        h('summary', {}, 'Decided before'), past);
  fill(root, h('h2', {}, 'Approvals'), none, list, history);

  async function loadPast() {
    try {
      const {approvals} = await get('/v1/approvals?all=true');
      const decided = approvals.filter((each) => each.state !== 'pending').slice(0, 100);
      fill(
          past,
          decided.length === 0 ?
              h('p', {class: 'sub'}, 'none') :
              h('div',
                {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Decided before'},
                h('table', {class: 'lines'},
                  h('thead', {},
                    h('tr', {},
                      ['Decided', 'Agent', 'State', 'Call', 'By'].map(
                          (each) => h('th', {scope: 'col'}, each)))),
                  h('tbody', {},
                    decided.map(
                        (each) =>
                            h('tr', {}, h('td', {}, time(each.decided ?? each.time)),
                              h('td', {}, each.agent), h('td', {}, badge(each.state)),
                              h('td', {}, each.target ?? each.action,
                                h('span', {class: 'sub'}, each.upstream ?? '')),
                              h('td', {},
                                each.votes.map(
                                    (vote) =>
                                        h('span', {class: 'vote'},
                                          `${vote.approver}: ${vote.verdict}${
                                              vote.why ? ` (${vote.why})` : ''}`)))))))));
    } catch (error) {
      fill(past, h('p', {class: 'error'}, error.message));
    }
  }
  let shown = false;
  function update() {
    none.hidden = store.approvals.length > 0;
    keyed(list, store.approvals.slice(0, 100), (each) => each.approval, card);
    if (shown || !id) return;
    const wanted = document.getElementById(`approval-${visible(id)}`);
    shown = Boolean(wanted);
    wanted?.scrollIntoView();
    wanted?.focus();
  }
  const tick = setInterval(update, 1000);
  return {update, end: () => clearInterval(tick)};
}
