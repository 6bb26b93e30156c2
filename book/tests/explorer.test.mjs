// The explorer of verifier logs in a real browser.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { DESK, PHONE, THEMES, address, newReader, violations } from './common.mjs';

const KERNELS = ['5.10', '6.1', '6.12', '6.18', '7.3'];
const ENTRY = 'gallery/map-value-bounds.html';
const REJECTED = '0: R1=ctx() R10=fp0\n0: (bf) r0 = r2\nR2 !read_ok\nprocessed 1 insns (limit 1000000)\n';

let page;
const requests = [];

before(async () => {
  page = await newReader();
  page.on('request', request => requests.push(request.url()));
});

const open = name => page.goto(address(name), { waitUntil: 'load' });

/** Opens the first explorer of a kernel; returns its element. */
async function explorer(kernel) {
  const log = await page.$(`.verifier-log[data-kernel="${kernel}"]`);
  // It may lie in a tab that is not shown, where a mouse cannot reach it.
  await log.$eval('.explorer-open', button => button.click());
  return log.waitForSelector('.explorer');
}

const place = shown => shown.$eval('.explorer-place', text => text.textContent);

for (const kernel of KERNELS) {
  test(`a log of Linux ${kernel} opens at the decisive step`, async () => {
    await open(ENTRY);
    const shown = await explorer(kernel);
    assert.match(await place(shown), /decisive/);
    const current = await shown.$eval('[aria-current=step]', line => line.textContent);
    assert.match(current, /^✗\d+: r\d = \*\(u64 \*\)\(r\d \+0\)$/);
    const known = await shown.$eval('.explorer-known', table => table.textContent);
    assert.match(known, /at an offset between 0 and 2040/);
  });
}

test('keys lead through the steps, are announced, and do not turn the page', async () => {
  await open(ENTRY);
  const visible = await page.evaluateHandle(() =>
    [...document.querySelectorAll('.verifier-log')].find(log => log.checkVisibility()));
  await visible.$eval('.explorer-open', button => button.click());
  const shown = await visible.waitForSelector('.explorer');
  const press = async key => {
    await page.keyboard.press(key);
    return Number((await place(shown)).match(/Step (\d+)/)[1]);
  };
  const last = Number((await place(shown)).match(/Step (\d+)/)[1]);
  assert.equal(await press('ArrowLeft'), last - 1);
  assert.match(await shown.$eval('[aria-live]', live => live.textContent), new RegExp(`^Step ${last - 1}, `));
  assert.equal(await press('Home'), 1);
  assert.equal(await press('ArrowLeft'), 1);
  assert.equal(await press('ArrowRight'), 2);
  assert.equal(await press('d'), last);
  assert.equal(await press('Home'), 1);
  assert.equal(await press('End'), last);
  assert.ok(page.url().endsWith(ENTRY), 'an arrow key turned the page');
});

test('the log can be read as text again', async () => {
  await open(ENTRY);
  await explorer('6.12');
  const log = await page.$('.verifier-log[data-kernel="6.12"]');
  assert.equal(await log.$eval('pre', pre => pre.hidden), true);
  await log.$eval('.explorer-open', button => button.click());
  assert.equal(await log.$eval('pre', pre => pre.hidden), false);
});

/** Also of a page that is wider than the screen. */
async function faultsOf(within) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  return [...(await violations(page, within)), ...(wide ? ['it scrolls sideways'] : [])];
}

test('everybody can use it, in all themes, on a phone', async () => {
  await page.setViewport(PHONE);
  const faults = [];
  for (const theme of THEMES) {
    await open('explorer.html');
    await page.evaluate(theme => localStorage.setItem('mdbook-theme', theme), theme);
    await page.reload({ waitUntil: 'load' });
    await paste(REJECTED);
    faults.push(...(await faultsOf('#own-log')).map(fault => `${theme}: ${fault}`));
    await open(ENTRY);
    await explorer('6.12');
    faults.push(...(await faultsOf('main')).map(fault => `${theme}, ${ENTRY}: ${fault}`));
  }
  await page.evaluate(() => localStorage.removeItem('mdbook-theme'));
  await page.setViewport(DESK);
  assert.deepEqual(faults, []);
});

/** Pastes a text as a person does; returns what the page says then, and after how many milliseconds. */
async function paste(text) {
  const begin = Date.now();
  await page.evaluate(text => {
    const field = document.getElementById('own-log-text');
    const clipboardData = new DataTransfer();
    clipboardData.setData('text', text);
    if (field.dispatchEvent(new ClipboardEvent('paste', { clipboardData, cancelable: true }))) {
      field.value = text;
      document.querySelector('#own-log button').click();
    }
  }, text);
  const said = () => document.querySelector('#own-log .explorer-status').textContent.replace(/^Reading.*/, '');
  await page.waitForFunction(said);
  return [await page.evaluate(said), Date.now() - begin];
}

test('a log of one’s own is explained, and nothing is sent', async () => {
  await open('explorer.html');
  requests.length = 0;
  const [said] = await paste(REJECTED);
  assert.match(said, /^uninit-reg: /);
  assert.match(await page.$eval('.explorer-place', text => text.textContent), /Step 1 of 1.*decisive/);
  assert.equal(await page.$eval('.explorer-advice a', link => link.getAttribute('href')), 'gallery/uninit-reg.html');
  assert.deepEqual(requests.filter(url => !/\/(verifier-log\.js|favicon.*)$/.test(url)), []);
});

test('the sample log shows how it works', async () => {
  await open('explorer.html');
  const [, sample] = await page.$$('#own-log > p > button');
  await sample.click();
  await page.waitForSelector('#own-log .explorer');
  assert.match(await page.$eval('.explorer-place', text => text.textContent), /decisive/);
  assert.match(await page.$eval('#own-log-text', field => field.value), /invalid access to map value/);
  const advice = await page.$eval('.explorer-advice a', link => link.getAttribute('href'));
  assert.equal(advice, 'gallery/map-value-bounds.html');
});

test('instructions that were walked again have a number and a bar', async () => {
  const round = count => `1: (07) r1 += 1 ; R1_w=${count}\n2: (a5) if r1 < 0x3 goto pc-2 ; R1_w=${count}\n`;
  const loop = `0: (b7) r1 = 0 ; R1_w=0\n${[1, 2, 3].map(round).join('')}3: (95) exit\nR0 !read_ok\nprocessed 8 insns (limit 1000000)\n`;
  await open('explorer.html');
  await paste(loop);
  const heat = await page.$$eval('#own-log .explorer-list li', lines =>
    lines.map(line => [line.querySelector('code').textContent.split(':')[0], line.querySelector('.explorer-times').textContent]));
  assert.ok(heat.length > 3);
  for (const [pc, times] of heat) {
    assert.equal(times, pc === '1' || pc === '2' ? '3×' : '1×', pc);
  }
  assert.deepEqual(await faultsOf('#own-log'), []);
  await paste(REJECTED);
  assert.equal(await page.$('#own-log .explorer-heat'), null, 'nothing was walked again');
});

test('what is no log gets a clear answer', async () => {
  await open('explorer.html');
  assert.match((await paste(''))[0], /^There is no text yet/);
  assert.match((await paste('hello \u0001 <b>world</b>'))[0], /^No verifier log/);
  assert.match((await paste('x'.repeat(3_000_000)))[0], /No verifier log/);
});

test('ten megabytes do not stop the browser for long', async () => {
  await open('explorer.html');
  const line = at => `${at}: (07) r2 += 1                       ; R2_w=scalar(id=${at},umax=255) R10=fp0\n`;
  let log = '0: R1=ctx() R10=fp0\n';
  for (let at = 0; log.length < 10e6; at++) log += line(at);
  const [said, took] = await paste(`${log}200000: (bf) r0 = r3\nR3 !read_ok\nprocessed 9 insns (limit 1000000)\n`);
  assert.match(said, /^10\.0 MB of text: uninit-reg/);
  assert.match(await page.$eval('.explorer-place', text => text.textContent), /Left out: \d+ steps before these/);
  assert.ok(took < 10_000, `${took} ms`);
  console.log(`10 MB: ${took} ms`);
});
