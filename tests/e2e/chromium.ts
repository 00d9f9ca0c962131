// Headless Chromium, and a person in it: every window listens for what no page may say, and every click is counted.
import assert from 'node:assert/strict';
import {mkdirSync, readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {type Browser, type BrowserContext, chromium, type Locator, type Page} from 'playwright-core';
import {repository} from '../lib/process.js';
import type {Console, Json} from './console.js';
import {cleanup} from './support.js';

export const patience = 20_000;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const screenshots = join(repository, 'build/screenshots');

export const executable = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-default-apps',
  '--no-first-run',
  '--metrics-recording-only',
];

export async function browser(...more: string[]): Promise<Browser> {
  const one = await chromium.launch({executablePath: executable, headless: true, args: [...flags, ...more]});
  cleanup(() => one.close());
  return one;
}

// What no page may say, of all windows: an error on its console, an exception, a breach of its
// Content-Security-Policy, a request to another site.
export const pageErrors: string[] = [];

export async function window(
  of: Browser,
  one: Console,
  options: object = {},
): Promise<{context: BrowserContext; page: Page}> {
  const context = await of.newContext({viewport: {width: 1440, height: 900}, ...options});
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.on(
    'console',
    (message) => ['error', 'warning'].includes(message.type()) && pageErrors.push(`${page.url()}: ${message.text()}`),
  );
  page.on('pageerror', (error) => pageErrors.push(`${page.url()}: ${error.message}`));
  page.on(
    'request',
    (request) =>
      !request.url().startsWith(one.url) &&
      !request.url().startsWith('data:') &&
      pageErrors.push(`asks another site: ${request.url()}`),
  );
  return {context, page};
}

export async function settled(page: Page): Promise<void> {
  await page.locator('main h1').first().waitFor();
  await page.waitForFunction(
    () => !/Loading|Looking|Searching|Comparing/.test(document.querySelector('main')?.textContent ?? ''),
  );
}

export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(screenshots, {recursive: true});
  // In a window of the page's height: what sticks to the window's edge is where it belongs.
  const size = page.viewportSize()!;
  const height = await page.evaluate(() =>
    Math.max(...Array.from(document.querySelectorAll('main > *'), (part) => part.getBoundingClientRect().bottom)),
  );
  await page.setViewportSize({width: size.width, height: Math.max(Math.min(size.height, 900), Math.ceil(height) + 16)});
  await page.screenshot({path: join(screenshots, `${name}.png`), fullPage: true});
  await page.setViewportSize(size);
}

// All that axe has against the page as it stands, or a part of it.
export async function violations(page: Page, part = 'html'): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe);
  return page.evaluate(
    async (selector) =>
      ((await (globalThis as Json).axe.run(selector, {resultTypes: ['violations']})).violations as Json[]).map(
        (each) =>
          `${each.id} (${each.impact}): ${each.nodes
            .slice(0, 3)
            .map((node: Json) => `${node.html.slice(0, 160)} ${node.failureSummary}`)
            .join('\n')}`,
      ),
    part,
  );
}

// Looks for an answer. A click, a drag and a key that does something are one each; a text is one with the Enter behind
// it. What it only reads costs nothing.
export class Person {
  spent = 0; // clicks
  constructor(readonly page: Page) {}

  // The front page, where every question begins.
  async arrive(at: Console): Promise<void> {
    this.spent = 0;
    await this.page.goto(`${at.url}/`);
    await settled(this.page);
  }
  async click(what: Locator): Promise<void> {
    ++this.spent;
    await what.click();
  }
  async open(name: string): Promise<void> {
    await this.click(this.page.getByRole('navigation', {name: 'Pages'}).getByRole('link', {name, exact: true}));
    await this.page.getByRole('heading', {level: 1, name}).waitFor();
    await settled(this.page);
  }
  // `/` goes to the box from anywhere.
  async search(text: string): Promise<void> {
    ++this.spent;
    await this.page.keyboard.press('/');
    ++this.spent;
    await this.page.keyboard.insertText(text);
    await this.page.keyboard.press('Enter');
  }
  async drag(over: Locator, from: number, to: number): Promise<void> {
    ++this.spent;
    const box = (await over.boundingBox())!;
    const y = box.y + box.height / 2;
    await this.page.mouse.move(box.x + from, y);
    await this.page.mouse.down();
    await this.page.mouse.move(box.x + (from + to) / 2, y);
    await this.page.mouse.move(box.x + to, y);
    await this.page.mouse.up();
  }
  // Three clicks are what an answer may cost. Keeps the picture.
  async answered(name: string): Promise<void> {
    await settled(this.page);
    await picture(this.page, name);
    assert.ok(this.spent <= 3, `${name} took ${this.spent} clicks`);
  }
}

// What the page says, read as a number: "1,234" and "12.3 k"; "1.24 s", "340 ms" and "3 m 12 s" in seconds.
export function numberOf(text: string | null | undefined): number {
  const found = /^\s*(?:at most )?([\d,]+(?:\.\d+)?)\s?([kMGT]?)B?(?:\/s)?\s*$/.exec(text ?? '');
  assert.ok(found, `a number: ${text}`);
  return Number(found[1]!.replaceAll(',', '')) * 1000 ** ['', 'k', 'M', 'G', 'T'].indexOf(found[2]!);
}
export function secondsOf(text: string | null | undefined): number {
  const units: Record<string, number> = {ns: 1e-9, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86_400};
  const parts = [...(text ?? '').matchAll(/([\d.]+) (ns|µs|ms|s|m|h|d)(?![a-z])/g)];
  assert.ok(parts.length > 0, `a duration: ${text}`);
  return parts.reduce((sum, [, value, unit]) => sum + Number(value) * units[unit!]!, 0);
}
