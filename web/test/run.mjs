// npm test: the page's logic, without a browser. Every *.test.ts beside this file, bundled and run by node's own
// runner.
import {spawnSync} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {bundle} from './bundle.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const files = await bundle(
  ...readdirSync(here)
    .filter((one) => one.endsWith('.test.ts'))
    .map((one) => join('test', one)),
);
process.exit(spawnSync(process.execPath, ['--enable-source-maps', '--test', ...files], {stdio: 'inherit'}).status ?? 1);
