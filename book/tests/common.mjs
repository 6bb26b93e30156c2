// What the tests of the book have in common. BOOK is the book's directory, BROWSER the browser.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after } from 'node:test';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

export const BOOK = process.env.BOOK;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const DESK = { width: 1280, height: 900 };
export const PHONE = { width: 360, height: 740 };
// Those that are offered.
export const THEMES = ['light', 'navy', 'ayu'];

export const address = name => pathToFileURL(join(BOOK, name)).href;

// One for all tests: a start costs more than a page.
const browser = await puppeteer.launch({
  executablePath: process.env.BROWSER,
  headless: true,
  args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--disable-gpu', '--force-prefers-reduced-motion'],
});

after(() => browser.close());

/** A page of a reader who comes for the first time: with its own storage, in its own window. */
export async function newReader() {
  const context = await browser.createBrowserContext();
  return context.newPage();
}

/** What `look` returns for each item, in their order. Two pages of `open` look at the same time: both cores work. */
export async function sideBySide(items, open, look) {
  const found = [];
  let next = 0;
  const reader = async () => {
    const page = await open();
    while (next < items.length) {
      const at = next++;
      found[at] = await look(page, items[at]);
    }
    await page.close();
  };
  await Promise.all([reader(), reader()]);
  return found;
}

/** What axe-core finds in a part of the page, a line for each element. */
export async function violations(page, within) {
  await page.evaluate(AXE);
  const found = await page.evaluate(within => axe.run(within, { resultTypes: ['violations'], preload: false }), within);
  return found.violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.target} ${node.failureSummary}`));
}
