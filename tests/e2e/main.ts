// tests/e2e/run [NAME...] [--full]: runs the named test files (all without names), two at a time, and ends with
// node:test's own counts. --full (or SOCKEYE_E2E_FULL=1) plays the long forms.
import {readdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {run} from 'node:test';
import {spec} from 'node:test/reporters';

// Those that measure time first, beside others that mostly wait; those that load the machine last.
const order = [
  'heartbeat',
  'console',
  'page',
  'questions',
  'trace',
  'signals',
  'values',
  'realtime',
  'propagation',
  'dialects',
  'libraries',
  'browser',
  'truth',
  'http',
  'conformance',
  'peers',
  'lifecycle',
  'console_input',
  'console_live',
  'console_safety',
  'console_grpc_hostile',
  'hostile',
  'console_durable',
  'exactness',
];
const place = (file: string): number =>
  (order.indexOf(file.replace('.test.mjs', '')) + order.length + 1) % (order.length + 1);

const folder = dirname(fileURLToPath(import.meta.url));
const names = process.argv.slice(2).filter((name) => name !== '--full');
if (process.argv.includes('--full')) process.env.SOCKEYE_E2E_FULL = '1';
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.test.mjs'))
  .sort((a, b) => place(a) - place(b))
  .filter((name) => !names.length || names.some((wanted) => name === `${wanted}.test.mjs`));
if (!files.length) {
  console.error(`no such test: ${names.join(' ')}`);
  process.exit(2);
}
// Stopped from outside, it stops the files that run; they stop what they started.
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort());
const stream = run({
  signal: stopped.signal,
  files: files.map((name) => join(folder, name)),
  concurrency: 2,
  timeout: process.env.SOCKEYE_E2E_FULL ? 7_200_000 : 900_000,
});
stream.on('test:fail', () => (process.exitCode = 1));
// A class in some Node versions, a function in others.
const reporter = new (spec as unknown as new () => NodeJS.ReadWriteStream)();
(stream as unknown as NodeJS.ReadableStream & {compose(to: unknown): NodeJS.ReadableStream})
  .compose(reporter)
  .pipe(process.stdout);
