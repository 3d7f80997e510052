// The console in a real browser against the real sidecar: signing in, approving, hostile texts, the
// keyboard, a phone, accessibility; and the pictures in proxy/console/README.md, which
// REEVE_SCREENSHOTS=1 renews.
import {statSync} from 'node:fs';
import net from 'node:net';

import {openBrowser, page, violations} from './browser.mjs';
import {office, open, people, signIn, start, text, work} from './console.mjs';
import {assert, call, newToken, root, scenario, until} from './lib.mjs';

const sees = (opened, words) => opened.getByText(words).first().waitFor();
const clean = (opened) => assert.deepEqual(opened.problems, []);
const ownOnly = (opened, url) =>
    assert.ok(opened.requested.every((each) => each.startsWith(url)), opened.requested.join(' '));
// Answers to a wrong token are errors to the browser's console, and meant to be.
const forgive = (opened, pattern) => {
  opened.problems = opened.problems.filter((each) => !pattern.test(each));
};

async function goTo(opened, view) {
  await opened.getByRole('navigation', {name: 'Views'}).getByRole('link', {name: view}).click();
  await opened.waitForFunction((name) => document.title.startsWith(name), view);
}

// An agent asks; `answered` is what it gets in the end.
async function asked(
    {as, sidecar, tokens}, body = {
      order: 'A-1077',
      amount: 250,
      reason: 'Arrived broken'
    },
    agent = 'casey') {
  const answered = as (agent, 'POST', '/crm/refunds', body);
  answered.catch(() => {});
  await until(
      async () => (await call(sidecar.adminPort, 'GET', '/v1/approvals', {token: tokens.vic}))
                      .json.approvals.length > 0,
      'the question');
  return {answered};
}

scenario('signing in, by the keyboard alone, to each view and out', async (s) => {
  const running = await start(s);
  await work(running, 3);
  const opened = await open(s, running.url);
  await sees(opened, 'Sign in');
  assert.equal(await opened.evaluate(() => document.activeElement.id), 'token');
  await opened.keyboard.type(newToken());
  await opened.keyboard.press('Enter');
  await sees(opened, 'nobody’s token');
  forgive(opened, /401/);
  await opened.getByLabel('Your token').fill('');
  await opened.keyboard.type(running.tokens.opal);
  await opened.keyboard.press('Enter');
  await opened.getByRole('navigation', {name: 'Views'}).waitFor();
  await sees(opened, 'Answers customers and refunds orders');
  // What has the focus, by Tab from the top of the page.
  await opened.evaluate(() => document.activeElement.blur());
  const reached = new Set();
  for (let i = 0; i < 60; ++i) {
    await opened.keyboard.press('Tab');
    reached.add(await opened.evaluate(
        () => document.activeElement.ariaLabel ||
            document.activeElement.textContent.trim().slice(0, 40)));
  }
  for (const name
           of ['Skip to content', 'Agents', 'Live', 'Record', 'Sign out', 'casey', 'Stop casey'])
    assert.ok(reached.has(name), `${name} is reached by Tab: ${[...reached].join(', ')}`);
  for (const view of ['Approvals', 'Live', 'Policy', 'Record', 'Agents']) {
    await opened.getByRole('navigation', {name: 'Views'}).getByRole('link', {name: view}).focus();
    await opened.keyboard.press('Enter');
    await opened.waitForFunction((name) => document.title.startsWith(name), view);
  }
  // A dialog takes the focus, and gives it back.
  await goTo(opened, 'Live');
  await opened.locator('tbody button').first().focus();
  await opened.keyboard.press('Enter');
  await opened.locator('dialog[open]')
      .getByText('args_sha256')
      .or(opened.locator('dialog[open]').getByText('policy'))
      .first()
      .waitFor();
  assert.ok(await opened.evaluate(
      () => document.getElementById('dialog').contains(document.activeElement)));
  await opened.keyboard.press('Escape');
  assert.equal(await opened.evaluate(() => document.activeElement.className), 'link');
  await opened.getByRole('button', {name: 'Sign out'}).press('Enter');
  await sees(opened, 'Your token');
  assert.equal((await opened.context().cookies()).length, 0);
  assert.equal(await opened.evaluate(() => document.body.innerText.includes('casey')), false);
  forgive(opened, /\/v1\/live: net::ERR_ABORTED/);
  clean(opened);
  ownOnly(opened, running.url);
});

scenario(
    'a yes in the page releases the call; a no with its reason reaches the agent', async (s) => {
      const running = await start(s);
      await work(running, 2);
      const lee = await open(s, running.url, running.tokens.lee);
      const {answered} = await asked(running);
      await goTo(lee, 'Approvals');
      const card = lee.locator('article.approval');
      await card.waitFor();
      const shown = await card.innerText();
      for (const words
               of ['casey', '/refunds', 'Arrived broken', '250',
                   'Answers customers and refunds orders', 'dana@acme.example', 'support',
                   'limited', '0.25 USD', 'Refunds above 100 need a lead', '1 of lee@acme.example',
                   '/customers/4712'])
        assert.ok(shown.includes(words), `${words} in\n${shown}`);
      assert.equal(
          running.origin.requests.filter((each) => each.url.includes('refunds')).length, 0);
      await card.getByLabel('Why').fill('Seen the photo');
      await card.getByRole('button', {name: 'Approve'}).click();
      assert.equal((await answered).status, 200);
      assert.equal(
          running.origin.requests.filter((each) => each.url.includes('refunds')).length, 1);
      await lee.getByText('Nothing waits for a person.').waitFor();
      await lee.getByText('Decided before').click();
      await sees(lee, 'lee@acme.example: yes (Seen the photo)');

      const second = (await asked(running, {order: 'A-1078', amount: 9000})).answered;
      await card.getByLabel('Why').fill('Too much');
      await card.getByRole('button', {name: 'Deny'}).click();
      assert.equal((await second).status, 403);
      const verdicts = running.sidecar.audit({kind: 'approval'})
                           .map((line) => [line.verdict, line.approver, line.why]);
      assert.deepEqual(
          verdicts.filter(([verdict]) => verdict === 'denied'),
          [['denied', people[0], 'Too much']]);
      clean(lee);
    });

scenario('a viewer is shown no button, the admin token says for whom it answers', async (s) => {
  const running = await start(s);
  const vic = await open(s, running.url, running.tokens.vic);
  await asked(running);
  await goTo(vic, 'Approvals');
  await sees(vic, 'A viewer looks and decides nothing.');
  assert.equal(await vic.getByRole('button', {name: /Approve|Deny/}).count(), 0);
  await goTo(vic, 'Agents');
  await sees(vic, 'casey');
  assert.equal(await vic.getByRole('button', {name: /^Stop/}).count(), 0);
  clean(vic);

  const alone = await start(s, {...office(), people: false});
  const opened =
      await open(s, alone.url, alone.sidecar.adminToken, {browser: vic.context().browser()});
  const answered = alone.as('casey', 'POST', '/crm/refunds', {amount: 101});
  answered.catch(() => {});
  await goTo(opened, 'Approvals');
  const card = opened.locator('article.approval');
  await card.getByRole('button', {name: 'Approve'}).click();
  await sees(opened, 'Say for whom you answer.');
  await card.getByLabel('Answer as').selectOption(people[1]);
  await card.getByRole('button', {name: 'Approve'}).click();
  assert.equal((await answered).status, 200);
  clean(opened);
});

scenario('what agents call things is text, whatever it looks like', async (s) => {
  const running = await start(s);
  const attacks = [
    '<img src=x onerror=alert(1)>', '<script>alert(1)</script>', '"><svg onload=alert(1)>',
    '{{constructor.constructor("alert(1)")()}}', 'javascript:alert(1)', '\u202eevil\u202c',
    'a\u200bb', '</dd></dl><h1>owned', '&lt;b&gt;', '`${alert(1)}`'
  ];
  const browser = await openBrowser(s);
  const opened = await page(browser, running.url, {});
  await opened.evaluate(() => {
    globalThis.alert = () => globalThis.owned = true;
  });
  await signIn(opened, running.tokens.lee);
  for (const attack of attacks) {
    const path = `/crm/${encodeURIComponent(attack.replaceAll('/', '∕'))}`;
    assert.ok((await running.as('casey', 'GET', path)).status < 500);
  }
  await asked(
      running,
      {amount: 250, ...Object.fromEntries(attacks.map((each, i) => [`${each}${i}`, each]))});
  const before =
      await opened.evaluate(() => document.querySelectorAll('script, img, iframe, object').length);
  for (const view of ['Agents', 'Live', 'Record', 'Policy', 'Approvals']) {
    await goTo(opened, view);
    if (view !== 'Policy')
      await sees(opened, view === 'Approvals' ? 'onerror' : /onerror|big-refunds|casey/);
    assert.equal(await opened.evaluate(() => globalThis.owned), undefined);
    assert.equal(
        await opened.evaluate(
            () => document.querySelectorAll('script, img, iframe, object').length),
        before, view);
    assert.equal(await opened.evaluate(() => document.querySelectorAll('h1').length), 1);
    const words = await opened.evaluate(() => document.body.textContent);
    assert.doesNotMatch(words, /[\u202a-\u202e\u200b]/u, view);
  }
  const shown = await text(opened, 'article.approval .arguments');
  for (const attack of ['<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '\\u202eevil'])
    assert.ok(shown.includes(attack), `${attack} in\n${shown}`);
  // The address bar is no way in either.
  for (const hash
           of ['#record?agent=<img src=x onerror=alert(1)>', '#approvals/<svg onload=alert(1)>',
               '#__proto__', '#constructor', '#%zz']) {
    await opened.evaluate((to) => location.hash = to, hash);
    await opened.waitForFunction(() => document.querySelector('main h2'));
    assert.equal(await opened.evaluate(() => globalThis.owned), undefined, hash);
  }
  clean(opened);
  ownOnly(opened, running.url);
});

const looks = [
  ['desktop', {viewport: {width: 1360, height: 860}, colorScheme: 'light'}],
  ['dark', {viewport: {width: 1360, height: 860}, colorScheme: 'dark'}],
  [
    'phone', {
      viewport: {width: 390, height: 844},
      deviceScaleFactor: 2,
      isMobile: true,
      hasTouch: true,
      colorScheme: 'light'
    }
  ],
];
const keep = process.env.REEVE_SCREENSHOTS === '1';
const pictures = {
  desktop: ['Agents', 'Approvals', 'Policy'],
  dark: ['Live'],
  phone: ['Approvals']
};

scenario(
    'no view breaks a rule of accessibility, light, dark and on a phone; and its pictures',
    async (s) => {
      const running = await start(s, {...office({budget: '3.60 USD per day'}), past: true});
      const browser = await openBrowser(s);
      await work(running, 24);
      await asked(running, {
        order: 'A-1077',
        customer: 'Nora Lind',
        amount: 250,
        currency: 'EUR',
        reason: 'The lamp arrived broken; photo in ticket 8412'
      });
      const folder = keep ? `${root}/proxy/console` : s.folder('reeve-pictures-');
      for (const [look, options] of looks) {
        const opened = await open(
            s, running.url, look === 'phone' ? running.tokens.lee : running.tokens.opal,
            {browser, ...options});
        for (const view of ['Agents', 'Approvals', 'Live', 'Policy', 'Record']) {
          await goTo(opened, view);
          await sees(opened, {
            Agents: /calls, /,
            Approvals: 'Nora Lind',
            Live: 'no-deletions',
            Policy: 'no-finance',
            Record: /lines/
          }[view]);
          assert.deepEqual(await violations(opened), [], `${look}, ${view}`);
          const wide =
              await opened.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${look}, ${view}: ${wide} pixels wider than the screen`);
          if (!pictures[look].includes(view)) continue;
          const file = `${folder}/${look}-${view.toLowerCase()}.png`;
          await opened.screenshot(
              {path: file, animations: 'disabled', ...(look === 'phone' && {scale: 'css'})});
          assert.ok(statSync(file).size > 10_000, file);
        }
        if (look === 'desktop') {
          await goTo(opened, 'Live');
          await opened.locator('tbody button').first().click();
          await opened.locator('dialog[open]').waitFor();
          assert.deepEqual(await violations(opened), [], 'with a dialog');
          const paint = await opened.evaluate(
              () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
          console.log(`first paint after ${paint?.toFixed(0)} ms`);
        }
        clean(opened);
        await opened.context().close();
      }
      const out = await page(browser, running.url, {});
      await sees(out, 'Your token');
      assert.deepEqual(await violations(out), [], 'signed out');
    });

scenario('a thousand decisions a second: the page stays usable, and bounded', async (s) => {
  const running = await start(s);
  const {sidecar} = running;
  const opened = await open(s, running.url, running.tokens.vic);
  await goTo(opened, 'Live');
  await opened.evaluate(() => {
    globalThis.longest = 0;
    new PerformanceObserver((list) => {
      for (const task of list.getEntries())
        globalThis.longest = Math.max(globalThis.longest, task.duration);
    }).observe({entryTypes: ['longtask']});
  });
  // 25 requests at once, one behind the other, forty times a second.
  const {token} = running.agents.avery;
  const request = `GET /finance/invoices HTTP/1.1\r\nHost: 127.0.0.1:${
      sidecar.port}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  const socket = net.connect(sidecar.port, '127.0.0.1');
  s.defer(() => socket.destroy());
  const began = Date.now();
  let sent = 0, made = 0;
  socket.on('data', (data) => made += data.toString('latin1').split('HTTP/1.1 403').length - 1);
  const driver = setInterval(() => {
    const due = Math.min(Date.now() - began - sent, 100);
    if (sent - made > 500 || due < 25) return;
    socket.write(request.repeat(due));
    sent += due;
  }, 25);
  s.defer(() => clearInterval(driver));
  await until(() => made >= 1500, 'the calls');
  await opened.getByRole('button', {name: 'Pause'}).click();
  await opened.getByRole('button', {name: 'Go on'}).waitFor();
  const first = await opened.locator('tbody tr').first().getAttribute('data-seq');
  await until(() => made >= 3000, 'more calls');
  assert.equal(
      await opened.locator('tbody tr').first().getAttribute('data-seq'), first, 'it rests');
  await opened.getByRole('button', {name: 'Go on'}).click();
  await until(
      async () =>
          Number(await opened.locator('tbody tr').first().getAttribute('data-seq')) > Number(first),
      'newer rows');
  const rate = made / (Date.now() - began) * 1000;
  clearInterval(driver);
  const rows = await opened.locator('tbody tr').count();
  assert.ok(rows > 0 && rows <= 200, `${rows} rows`);
  console.log(`at ${rate.toFixed(0)} decisions a second: ${rows} rows, the longest task ${
      (await opened.evaluate(() => globalThis.longest)).toFixed(0)} ms (0: none over 50 ms)`);
  clean(opened);
});
