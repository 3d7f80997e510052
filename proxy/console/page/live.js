// Decisions as they are recorded. Only the newest rows are there; a frame adds few.
import {fill, h, say, text} from './dom.js';
import {count} from './format.js';
import {row, table} from './lines.js';
import {rate, store} from './store.js';

const mostRows = 200, mostPerFrame = 50;

export function liveView(root) {
  const body = h('tbody', {}), speed = h('span', {class: 'sub'}), lost = h('span', {class: 'sub'});
  const words = h('input', {
    id: 'live-words',
    type: 'search',
    autocomplete: 'off',
    placeholder: 'Agent, tool, rule, reason',
    oninput: redraw
  });
  const which =
      h('select', {id: 'live-which', onchange: redraw},
        ['all', 'refused', 'allowed'].map((each) => h('option', {value: each}, each)));
  let paused = false, shown = 0;
  const pause =
      h('button', {
        type: 'button',
        onclick: () => {
          paused = !paused;
          text(pause, paused ? 'Go on' : 'Pause');
          say(paused ? 'Paused' : 'Live');
          update();
        }
      },
        'Pause');
  const none = h('p', {class: 'note'}, 'Nothing yet.');
  fill(
      root, h('div', {class: 'view-head'}, h('h2', {}, 'Live decisions'), speed, lost),
      h('div', {class: 'filters'},
        h('div', {class: 'field grow'},
          h('label',
            {for: 'live-words'
            },
            'Show those with'),
          words),
        h('div', {class: 'field'},
          h('label',
            {for: 'live-which'
            },
            'Decision'),
          which),
        pause),
      table('Live decisions, newest first', body), none);

  const wanted = (line) => {
    if (which.value !== 'all' && (line.decision === 'allow') !== (which.value === 'allowed'))
      return false;
    const word = words.value.trim().toLowerCase();
    return !word || [
      line.agent, line.target, line.upstream, line.rule, line.because, line.reason, line.action
    ].some((each) => each?.toLowerCase().includes(word));
  };
  function redraw() {
    shown = store.lines[0]?.seq ?? 0;
    fill(body, store.lines.filter(wanted).slice(0, mostRows).map(row));
    none.hidden = Boolean(body.firstChild);
  }
  function update() {
    text(speed, `${rate().toFixed(1)} a second`);
    text(
        lost,
        store.missed > 0 ? `${count(store.missed)} not shown: more than this page takes` : '');
    if (paused) return;
    const fresh = [];
    for (const line of store.lines) {
      if (line.seq <= shown || fresh.length >= mostPerFrame) break;
      if (wanted(line)) fresh.push(line);
    }
    if (store.lines[0]) shown = store.lines[0].seq;
    if (fresh.length === 0) return;
    body.prepend(...fresh.map(row));
    while (body.childElementCount > mostRows) body.lastElementChild.remove();
    none.hidden = true;
  }
  redraw();
  const tick = setInterval(() => text(speed, `${rate().toFixed(1)} a second`), 1000);
  return {update, end: () => clearInterval(tick)};
}
