// Headless Chromium (Debian's) for tests of pages: `await openBrowser(s)` gives one that ends with
// its scenario; `await page(browser, url)` a page that keeps what went wrong on it.
import axe from 'axe-core';
import {existsSync} from 'node:fs';
import {chromium} from 'playwright-core';

import {assert} from './wire.mjs';

const executable = process.env.REEVE_CHROMIUM || '/usr/bin/chromium';

// Nothing of it looks for a network that is not there.
const flags = [
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'
];

export async function openBrowser(s) {
  assert.ok(
      existsSync(executable),
      `${executable} is not there: deploy/install-dependencies --tests brings it`);
  const browser = await chromium.launch({
    executablePath: executable,
    // Chromium's own sandbox does not work for root.
    chromiumSandbox: process.getuid() !== 0,
    args: flags,
    timeout: 120_000,
    // What it keeps goes into a folder that goes away, whoever's home this is.
    env: {...process.env, HOME: s.folder('reeve-chromium-')},
  });
  s.defer(() => browser.close());
  return browser;
}

// `options` are those of a browser context: javaScriptEnabled, colorScheme, viewport, … The page's
// `problems` are errors of scripts, of its console (refused by its content policy, say) and failed
// requests; `requested` is every URL that it asked for. Requests to other hosts than this machine
// are refused, and stand in both.
export async function page(browser, url, options = {}) {
  const context = await browser.newContext(options);
  const opened = await context.newPage();
  opened.setDefaultTimeout(60_000);
  opened.problems = [];
  opened.requested = [];
  await context.route('**', (route) => {
    const {protocol, hostname} = new URL(route.request().url());
    const here = ['file:', 'data:', 'blob:'].includes(protocol) ||
        ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
    return here ? route.continue() : route.abort();
  });
  opened.on('request', (request) => opened.requested.push(request.url()));
  opened.on('pageerror', (error) => opened.problems.push(`script: ${error.message}`));
  opened.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()))
      opened.problems.push(`console: ${message.text()}`);
  });
  opened.on(
      'requestfailed',
      (request) => opened.problems.push(`${request.url()}: ${request.failure()?.errorText}`));
  if (url) await opened.goto(url);
  return opened;
}

// What axe-core finds against WCAG 2.1 A and AA: a text for each rule that is broken. It is put in
// by the debugger's way, which a page's content policy does not bind. Needs scripts to be on.
export async function violations(opened, {within = undefined, disabled = []} = {}) {
  const session = await opened.context().newCDPSession(opened);
  const evaluate = async (expression) => {
    const {result, exceptionDetails} = await session.send(
        'Runtime.evaluate', {expression, awaitPromise: true, returnByValue: true});
    assert.equal(
        exceptionDetails, undefined,
        exceptionDetails?.exception?.description ?? exceptionDetails?.text);
    return result.value;
  };
  await evaluate(`${axe.source}; undefined`);
  const options = {
    runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']},
    rules: Object.fromEntries(disabled.map((rule) => [rule, {enabled: false}])),
  };
  const found = await evaluate(
      `axe.run(${JSON.stringify(within) ?? 'document'}, ${JSON.stringify(options)})` +
      '.then((result) => JSON.stringify(result.violations))');
  await session.detach();
  return JSON.parse(found).map(
      ({id, help, nodes}) => `${id}: ${help}: ${
          nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(' | ')}`);
}
