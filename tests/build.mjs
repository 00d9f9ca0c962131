// Bundles every program of the tests into dist/ (npm packages stay outside, so nothing is looked up at run time but
// node_modules). Takes well under a second, so the run scripts always call it.
import {build} from 'esbuild';
import {readdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const entries = ['conformance/main.ts', 'e2e/main.ts'];
for (const name of ['main', 'attacker', 'bystanders', 'upstream']) entries.push(`hostile/${name}.ts`);
for (const folder of ['peers', 'e2e'])
  for (const name of readdirSync(join(here, folder)))
    if (name.endsWith(folder === 'e2e' ? '.test.ts' : '.ts')) entries.push(`${folder}/${name}`);

await build({
  absWorkingDir: here,
  entryPoints: entries,
  outdir: 'dist',
  outbase: '.',
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node18',
  format: 'esm',
  sourcemap: 'inline',
  outExtension: {'.js': '.mjs'},
  logLevel: 'warning',
});
