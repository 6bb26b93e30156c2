// The book in a real browser. `cargo xtask book test` builds it, and starts this.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { before, test } from 'node:test';
import { BOOK, DESK, PHONE, THEMES, address, newReader, sideBySide, violations } from './common.mjs';

// One of each kind.
const CHAPTER = 'lessons/01-hello-kprobe.html';
const ENTRY = 'gallery/map-value-or-null.html';
const EXERCISE = 'lessons/01-hello-kprobe/removal-errors.html';
const TABLES = 'reference/hooks.html';
const SAMPLES = ['start.html', CHAPTER, 'lessons/06-xdp.html', EXERCISE, ENTRY, 'gallery/index.html', 'explorer.html'];

const pages = readdirSync(BOOK, { recursive: true })
  .filter(name => name.endsWith('.html') && !['print.html', 'toc.html', '404.html'].includes(name))
  .sort();

let page;

before(async () => {
  page = await newReader();
  await page.setViewport(DESK);
});

const open = (name, shown = page) => shown.goto(address(name), { waitUntil: 'load' });

/** Says the first of many. */
function none(faults) {
  const lines = faults.map(fault => fault.replaceAll(/\s+/g, ' '));
  assert.ok(faults.length === 0, `${faults.length} faults, such as\n${lines.slice(0, 30).join('\n')}`);
}

/** What does not fit a phone: runs in the page. */
function misfits() {
  for (const panel of document.querySelectorAll('main .tab[hidden]')) panel.hidden = false;
  const found = [];
  const named = (what, element) => found.push(`${what}: ${element.tagName} ${element.textContent.trim().slice(0, 60)}`);
  const scrolls = element => getComputedStyle(element).overflowX !== 'visible';
  const visit = element => {
    const { width, right } = element.getBoundingClientRect();
    if (width > 0 && right > innerWidth + 0.5) named(`ends at ${Math.round(right)} pixels`, element);
    else if (!scrolls(element)) [...element.children].forEach(visit);
  };
  visit(document.querySelector('main'));
  for (const wrapper of document.querySelectorAll('main .table-wrapper'))
    if (wrapper.scrollWidth > wrapper.clientWidth) named(`a table of ${wrapper.scrollWidth} pixels`, wrapper);
  for (const head of document.querySelectorAll('main thead'))
    if (head.textContent.trim() === '' && head.getBoundingClientRect().height > 0) named('an empty bar', head.parentElement);
  // Where a line ends between `#` and `[`.
  const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const top = at => {
      const sign = document.createRange();
      sign.setStart(texts.currentNode, at);
      sign.setEnd(texts.currentNode, at + 1);
      return sign.getBoundingClientRect().top;
    };
    for (const { index } of texts.currentNode.data.matchAll(/#\[/g))
      if (top(index + 1) > top(index) + 3) named('broken after #', texts.currentNode.parentElement);
  }
  return found;
}

/** Programs with lines that are longer than what shows of them. Of output, lines may be as long as they were. */
function longLines() {
  for (const panel of document.querySelectorAll('main .tab[hidden]')) panel.hidden = false;
  const programs = document.querySelectorAll('main pre > code:is(.language-rust, .language-c, .language-diff)');
  return [...programs]
    .filter(code => code.scrollWidth > code.clientWidth)
    .map(code => `${code.scrollWidth} pixels in ${code.clientWidth}: ${code.textContent.trim().slice(0, 60)}`);
}

test('every page: no console error, no accessibility violation, no long line of code, nothing wider than a phone', { timeout: 900_000 }, async () => {
  assert.ok(pages.length > 60, `only ${pages.length} pages`);
  const complaints = [];
  /** A page whose errors are kept. */
  const watched = async () => {
    const page = await newReader();
    page.on('console', message => message.type() === 'error' && complaints.push(`${page.url()}: ${message.text()}`));
    page.on('pageerror', error => complaints.push(`${page.url()}: ${error}`));
    page.on('requestfailed', request => {
      // The next page was opened before the browser had the icon of this one.
      if (request.failure().errorText === 'net::ERR_ABORTED') return;
      complaints.push(`${page.url()}: cannot load ${request.url()}`);
    });
    return page;
  };
  const faults = await sideBySide(pages, watched, async (page, name) => {
    await page.setViewport(DESK);
    await open(name, page);
    const found = await violations(page, 'html');
    found.push(...(await page.evaluate(longLines)));
    // Loaded again: the side bar of a wide window would stay open.
    await page.setViewport(PHONE);
    await open(name, page);
    await page.evaluate(() => document.fonts.ready.then(() => {}));
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > PHONE.width) found.push(`${width} pixels wide on a phone`);
    found.push(...(await page.evaluate(misfits)));
    return found.map(fault => `${name}: ${fault}`);
  });
  none([...faults.flat(), ...complaints]);
});

/** Makes it the theme of this reader; returns whether it was not. */
const choose = (page, theme) =>
  page.evaluate(name => {
    const before = localStorage.getItem('mdbook-theme');
    localStorage.setItem('mdbook-theme', name);
    return before !== name;
  }, theme);

test('every theme is readable', { timeout: 300_000 }, async () => {
  const looks = THEMES.flatMap(theme => SAMPLES.map(name => [theme, name]));
  const faults = await sideBySide(looks, newReader, async (page, [theme, name]) => {
    await page.setViewport(DESK);
    await open(name, page);
    if (await choose(page, theme)) await open(name, page);
    assert.ok(await page.evaluate(theme => document.documentElement.classList.contains(theme), theme));
    return (await violations(page, 'html')).map(fault => `${theme}, ${name}: ${fault}`);
  });
  none(faults.flat());
});

test('a reader switches the theme', async () => {
  await open(CHAPTER);
  await page.click('#mdbook-theme-toggle');
  await page.click('#mdbook-theme-navy');
  assert.equal(await page.evaluate(() => document.documentElement.classList.contains('navy')), true);
  // The list stays open.
  await page.click('#mdbook-theme-light');
  assert.equal(await page.evaluate(() => document.documentElement.classList.contains('light')), true);
});

test('search finds the page of an error by its text', async () => {
  await open('start.html');
  await page.keyboard.press('s');
  await page.waitForSelector('#mdbook-searchbar', { visible: true });
  await page.type('#mdbook-searchbar', 'map_value_or_null');
  await page.waitForSelector('#mdbook-searchresults a');
  const found = await page.$$eval('#mdbook-searchresults a', links => links.map(link => link.href));
  assert.ok(found.some(link => link.includes('gallery/')), found.join('\n'));
});

const shown = (page, selector) =>
  page.$$eval(selector, panels => panels.filter(panel => panel.checkVisibility()).map(panel => panel.dataset.tab));

test('a language that was chosen stays chosen on other pages', async () => {
  await open(CHAPTER);
  const [button] = await page.$$('.tabs[data-group=language] [role=tab][data-tab=C]');
  await button.click();
  const panels = await shown(page, '.tabs[data-group=language] > .tab');
  assert.ok(panels.length > 0 && panels.every(name => name === 'C'), panels.join());
  await open('lessons/02-maps.html');
  const others = await shown(page, '.tabs[data-group=language] > .tab');
  assert.ok(others.length > 0 && others.every(name => name === 'C'), others.join());
  await page.evaluate(() => localStorage.setItem('tab-language', 'Rust'));
});

test('tabs are worked with the keyboard', async () => {
  await open(ENTRY);
  const selected = () => page.$eval('.tabs[data-group=kernel] [role=tab][aria-selected=true]', tab => tab.dataset.tab);
  await page.focus('.tabs[data-group=kernel] [role=tab][aria-selected=true]');
  const first = await selected();
  await page.keyboard.press('ArrowRight');
  assert.notEqual(await selected(), first);
  assert.ok(page.url().endsWith(ENTRY), 'the arrow key turned the page');
});

test('a table that is wider than a phone is shown row by row', async () => {
  await open(TABLES);
  const stacked = () => page.$$eval('main table.stacked', tables => tables.length);
  assert.equal(await stacked(), 0);
  await page.setViewport(PHONE);
  await page.waitForSelector('main table.stacked');
  const label = await page.$eval('table.stacked td:nth-child(2)', cell => getComputedStyle(cell, '::before').content);
  assert.match(label, /C, and Rust/);
  const faults = await violations(page, 'main');
  await page.setViewport(DESK);
  assert.deepEqual(faults, []);
  await page.waitForFunction(() => !document.querySelector('main table.stacked'));
});

test('hints are folded, and open one at a time', async () => {
  await open(EXERCISE);
  const hints = () => page.$$eval('main details', all => all.map(details => details.open));
  assert.deepEqual(await hints(), [false, false, false]);
  const summaries = await page.$$('main details > summary');
  assert.match(await summaries[0].evaluate(summary => summary.textContent), /Hint 1 of 3/);
  await summaries[0].press('Enter');
  assert.deepEqual(await hints(), [true, false, false]);
});

test('without JavaScript both languages and all kernels show', async () => {
  const plain = await newReader();
  await plain.setJavaScriptEnabled(false);
  await plain.goto(address(ENTRY));
  const text = await plain.$eval('main', main => main.innerText);
  for (const word of ['fail.rs', 'fail.bpf.c', 'Linux 5.10', 'Linux 7.3']) assert.ok(text.includes(word), word);
  await plain.close();
});

test('the keyboard leads past the menus', async () => {
  await open(CHAPTER);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip-link');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => location.hash), '#mdbook-content');
});

test('the whole book prints, with both languages', async () => {
  await open('print.html');
  await page.emulateMediaType('print');
  const panels = await shown(page, '.tabs[data-group=language] > .tab');
  await page.emulateMediaType('screen');
  assert.ok(panels.includes('Rust') && panels.includes('C'));
});
