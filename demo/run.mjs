// Starts the demo: tsx reads the TypeScript as it is.
import {spawn} from 'node:child_process';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const child = spawn(process.execPath, ['--import', 'tsx', join(here, 'src/run.ts'), ...process.argv.slice(2)], {
  stdio: 'inherit',
  cwd: here,
});
// Ctrl-C reaches the whole foreground group; this process only waits for the demo to end in its own time.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => process.exit(code ?? 1));
