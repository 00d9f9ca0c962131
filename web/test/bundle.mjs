// Compiles a TypeScript file of the tests into the repository's build folder and says where; npm packages stay outside.
import {build} from 'esbuild';
import {mkdir, symlink} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

export const web = dirname(dirname(fileURLToPath(import.meta.url)));
export const out = join(dirname(web), 'build', 'web-test');

export async function bundle(...files) {
  await mkdir(out, {recursive: true});
  // So that node finds packages.
  await symlink(join(web, 'node_modules'), join(out, 'node_modules')).catch(() => undefined);
  await build({
    absWorkingDir: web,
    entryPoints: files,
    outdir: out,
    outbase: 'test',
    entryNames: '[name]',
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node18',
    format: 'esm',
    sourcemap: 'inline',
    jsx: 'automatic',
    outExtension: {'.js': '.mjs'},
    logLevel: 'warning',
  });
  return files.map((file) => join(out, `${basename(file).replace(/\.tsx?$/, '')}.mjs`));
}
