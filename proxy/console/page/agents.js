// The overview: agents with their state, spend and trend; the stop; what waits and what happens.
import {ask} from './api.js';
import {bar, trend} from './charts.js';
import {fill, h, keyed, openDialog, say, text} from './dom.js';
import {ago, amount, count, left, percent} from './format.js';
import {badge, callOf} from './lines.js';
import {may, rate, store} from './store.js';

const sum = (list) => list.reduce((all, n) => all + n, 0);
const unitOf = (budget) => budget.unit === 'money' ? budget.currency : budget.unit;

function budgetBar(budget) {
  const used = Number(budget.used), held = Number(budget.reserved), limit = Number(budget.limit);
  const unit = unitOf(budget);
  const label = `${amount(used, unit)} of ${amount(limit, unit)} per ${budget.period}`;
  return h(
      'div', {class: 'budget'},
      h('div', {class: 'budget-line'}, h('span', {}, label.replace('per total', 'in all')),
        h('span', {class: 'sub'}, percent(used + held, limit))),
      bar(used, held, limit, `${budget.budget}, ${budget.scope}: ${label}`));
}

// Stops or resumes: asks why, and says what became of it.
function confirmVerb(agent, verb) {
  const stops = verb === 'stop';
  const why = h('input', {id: 'stop-why', name: 'why', maxlength: 500, autocomplete: 'off'});
  const wrong = h('p', {class: 'error', role: 'alert'});
  const go =
      h('button', {type: 'submit', class: stops ? 'danger' : 'primary'},
        stops ? 'Stop now' : 'Resume');
  const form = h(
      'form', {
        onsubmit: async (event) => {
          event.preventDefault();
          go.disabled = true;
          try {
            await ask(
                'POST', `/v1/agents/${encodeURIComponent(agent)}/${verb}`,
                why.value ? {why: why.value} : {});
            dialog.close();
            say(`${agent} is ${stops ? 'stopped' : 'at work again'}`);
          } catch (error) {
            text(
                wrong,
                error.status === 404 ?
                    'This sidecar cannot stop one agent; suspend it in the policy (status: suspended).' :
                    `It was not done: ${error.message}`);
            go.disabled = false;
          }
        }
      },
      h('p', {},
        stops ?
            'Cuts off its calls under way, streams and tunnels, refuses those that wait for people, and all that come.' :
            'Its calls are let in again, as the policy says.'),
      h('label', {for: 'stop-why'
      }, 'Why (recorded)'), why, wrong, h('p', {class: 'actions'}, go));
  const dialog = openDialog(`${stops ? 'Stop' : 'Resume'} ${agent}?`, form);
  why.focus();
}

function agentRow(agent) {
  const state = h('td', {class: 'state'}), spend = h('td', {class: 'spend'}),
        graph = h('td', {class: 'graph'}), last = h('td', {class: 'last'}),
        verbs = h('td', {class: 'verbs'});
  const name = agent.agent;
  const element =
      h('tr', {},
        h('th', {scope: 'row', class: 'who'},
          h('a', {href: `#record?agent=${encodeURIComponent(name)}`}, name),
          h('span', {class: 'sub'}, agent.purpose),
          h('span', {class: 'sub'}, `${agent.owner} · ${agent.team}`)),
        state, spend, graph, last, verbs);
  let drawn = {};
  const draw = (what, key, make, cell) => {
    if (drawn[what] === key) return;
    drawn[what] = key;
    fill(cell, make());
  };
  return {
    element,
    update(now) {
      draw(
          'state', `${now.state}${now.expires}`,
          () =>
              [badge(now.state),
               now.expires ? h('span', {class: 'sub'}, `until ${now.expires}`) : null],
          state);
      const own = store.budgets.filter((budget) => budget.scope === `agent:${name}`);
      draw(
          'spend', JSON.stringify(own),
          () => own.length > 0 ? own.map(budgetBar) :
                                 h('span', {class: 'sub'}, 'no budget of its own'),
          spend);
      const seen = store.activity?.agents.find((each) => each.agent === name);
      const counts = seen ? [sum(seen.allowed), sum(seen.refused)] : [0, 0];
      draw(
          'graph', counts.join(),
          () => seen ?
              [
                trend(seen.allowed, seen.refused),
                h('span', {class: 'sub'},
                  `${count(counts[0] + counts[1])} calls, ${count(counts[1])} refused`)
              ] :
              h('span', {class: 'sub'}, 'none this hour'),
          graph);
      text(last, seen ? ago(seen.last) : '—');
      draw('verbs', `${now.state}${may.stop()}`, () => {
        if (!may.stop() || now.state === 'retired' || now.state === 'suspended') return null;
        const verb = now.state === 'stopped' ? 'resume' : 'stop';
        return h(
            'button', {
              type: 'button',
              class: verb === 'stop' ? 'danger small' : 'small',
              'aria-label': `${verb === 'stop' ? 'Stop' : 'Resume'} ${name}`,
              onclick: () => confirmVerb(name, verb)
            },
            verb === 'stop' ? 'Stop' : 'Resume');
      }, verbs);
    }
  };
}

const tile = (label) => {
  const value = h('dd', {}), below = h('dd', {class: 'sub'});
  return {element: h('div', {class: 'tile'}, h('dt', {}, label), value, below), value, below};
};

export function agentsView(root) {
  const tiles = {
    calls: tile('Calls in the last hour'),
    refused: tile('Refused'),
    spent: tile('Spent in the last hour'),
    waiting: tile('Waiting for people')
  };
  const rows = h('tbody', {}), shared = h('div', {class: 'shared'}),
        waiting = h('ul', {class: 'plain-list'}), latest = h('ol', {class: 'plain-list latest'});
  const filter = h('input', {
    type: 'search',
    id: 'agent-filter',
    autocomplete: 'off',
    placeholder: 'Name, owner, team, state',
    oninput: () => update()
  });
  const sharedBox = h('section', {class: 'card'}, h('h3', {}, 'Shared budgets'), shared);
  const none = h('p', {class: 'note', hidden: true}, 'No agent is like that.');
  fill(root,
      h('h2', {class: 'hidden'}, 'Overview'),
      h('dl', {class: 'tiles'}, Object.values(tiles).map((each) => each.element)),
      h('div', {class: 'columns'},
        h('section', {class: 'card wide'},
          h('div', {class: 'card-head'}, h('h3', {}, 'Agents'),
            h('label', {for: 'agent-filter', class: 'hidden'}, 'Show agents that have'), filter),
          h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Agents'},
            h('table', {class: 'agents'}, h('thead', {}, h('tr', {},
              ['Agent', 'State', 'Spend', 'Last hour', 'Last call', ...(may.stop() ? ['Stop'] : [])]
                  .map((each) => h('th', {scope: 'col'}, each)))), rows)), none),
        h('div', {class: 'side'},
          h('section', {class: 'card'}, h('h3', {}, 'Waiting for people'), waiting),
          sharedBox,
          h('section', {class: 'card'}, h('div', {class: 'card-head'}, h('h3', {}, 'Latest decisions'),
            h('a', {href: '#live'}, 'All')), latest))));

    let lastAdded = -1;
    function update() {
      const activity = store.activity?.agents ?? [];
      const allowed = sum(activity.map((each) => sum(each.allowed)));
      const refused = sum(activity.map((each) => sum(each.refused)));
      text(tiles.calls.value, count(allowed + refused));
      text(tiles.calls.below, `${rate().toFixed(1)} a second now`);
      text(tiles.refused.value, percent(refused, allowed + refused));
      text(tiles.refused.below, `${count(refused)} calls`);
      const spent = sum(activity.map((each) => sum(each.spent)));
      text(
          tiles.spent.value,
          amount(spent, store.budgets.find((each) => each.currency)?.currency ?? ''));
      const most = activity.toSorted((a, b) => sum(b.spent) - sum(a.spent))[0];
      text(tiles.spent.below, most && sum(most.spent) > 0 ? `most by ${most.agent}` : '');
      text(tiles.waiting.value, count(store.approvals.length));
      const next = store.approvals.map((each) => each.expires).sort()[0];
      text(tiles.waiting.below, next ? `the next ends in ${left(next)}` : 'nobody');

      const wanted = filter.value.trim().toLowerCase();
      const shown = store.agents
                        .filter(
                            (each) => !wanted ||
                                [each.agent, each.owner, each.team, each.state, each.purpose]
                                    .join(' ')
                                    .toLowerCase()
                                    .includes(wanted))
                        .slice(0, 200);
      keyed(rows, shown, (each) => each.agent, agentRow);
      none.hidden = shown.length > 0;

      const common = store.budgets.filter((budget) => !budget.scope.startsWith('agent:'));
      sharedBox.hidden = common.length === 0;
      const key = JSON.stringify(common);
      if (shared.drawn !== key) {
        shared.drawn = key;
        fill(
            shared,
            common.map(
                (budget) =>
                    h('div', {},
                      h('div', {class: 'budget-name'}, budget.budget,
                        h('span', {class: 'sub'}, ` ${budget.scope}`)),
                      budgetBar(budget))));
      }
      keyed(waiting, store.approvals.slice(0, 6), (each) => each.approval, (each) => {
        const rest = h('span', {class: 'sub'});
        return {
          element:
              h('li', {},
                h('a', {href: `#approvals/${encodeURIComponent(each.approval)}`},
                  `${each.agent}: ${each.target ?? each.action}`),
                rest),
          update: (now) => text(
              rest,
              `${now.cost ? `${amount(now.cost, now.currency)} · ` : ''}${left(now.expires)} left`)
        };
      });
      if (store.approvals.length === 0 && !waiting.firstChild)
        fill(waiting, h('li', {class: 'sub'}, 'Nothing waits.'));
      if (store.approvals.length > 0) waiting.querySelector('li.sub')?.remove();
      if (lastAdded !== store.added) {
        lastAdded = store.added;
        keyed(
            latest, store.lines.slice(0, 9), (each) => each.seq,
            (line) => ({
              element:
                  h('li', {}, badge(line.decision),
                    h('div', {}, h('span', {}, line.agent ?? '—'),
                      h('div', {class: 'sub-call'}, callOf(line)),
                      line.because ? h('span', {class: 'sub'}, line.because) : null))
            }));
      }
    }
    const tick = setInterval(update, 1000);
    return {update, end: () => clearInterval(tick)};
}
