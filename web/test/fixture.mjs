// npm run fixture [-- --empty] [-- --token T]: the fixture on 127.0.0.1:16686, for `npm run dev`.
import {join} from 'node:path';
import {bundle, web} from './bundle.mjs';

const [file] = await bundle('test/fixture_server.ts');
const {start} = await import(file);
const token = process.argv.includes('--token') ? process.argv[process.argv.indexOf('--token') + 1] : '';
const fixture = await start({
  root: join(web, 'dist'),
  empty: process.argv.includes('--empty'),
  token,
  port: Number(process.env.PORT ?? 16686),
});
console.log(fixture.url);
