// Small pictures of numbers, with the same in words for those who do not see them.
import {svg} from './dom.js';
import {count} from './format.js';

// Calls over time, allowed below and refused on top.
export function trend(allowed, refused, {label = 'Calls in the last hour', wide = 120} = {}) {
  const height = 28;
  const most = Math.max(1, ...allowed.map((n, i) => n + refused[i]));
  const step = wide / allowed.length;
  let below = '', above = '';
  allowed.forEach((n, i) => {
    const a = Math.ceil(n / most * (height - 2)), r = Math.ceil(refused[i] / most * (height - 2));
    const bar = (base, size) =>
        `M${(i * step).toFixed(1)} ${base}v${- size}h${(step * .75).toFixed(2)}v${size}z`;
    if (a > 0) below += bar(height, a);
    if (r > 0) above += bar(height - a, r);
  });
  const sum = (list) => list.reduce((all, n) => all + n, 0);
  return svg(
      'svg', {
        class: 'trend',
        viewBox: `0 0 ${wide} ${height}`,
        preserveAspectRatio: 'none',
        role: 'img',
        'aria-label': `${label}: ${count(sum(allowed))} allowed, ${count(sum(refused))} refused`
      },
      svg('path', {class: 'ground', d: `M0 ${height - .5}h${wide}`}),
      svg('path', {class: 'allowed', d: below}), svg('path', {class: 'refused', d: above}));
}

// How much of a limit is used, and held for calls under way.
export function bar(used, reserved, limit, label) {
  const part = (n) => limit > 0 ? Math.min(100, 100 * n / limit) : n > 0 ? 100 : 0;
  const taken = part(used), held = Math.min(100 - taken, part(reserved));
  const level = taken + held >= 100 ? 'full' : taken + held >= 80 ? 'high' : 'low';
  return svg(
      'svg', {
        class: `bar ${level}`,
        viewBox: '0 0 100 6',
        preserveAspectRatio: 'none',
        role: 'img',
        'aria-label': label
      },
      svg('rect', {class: 'ground', width: 100, height: 6}),
      svg('rect', {class: 'used', width: taken.toFixed(2), height: 6}),
      svg('rect', {class: 'held', x: taken.toFixed(2), width: held.toFixed(2), height: 6}));
}
