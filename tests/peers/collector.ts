// collector.mjs PORT FILE: an OTLP/HTTP collector as a process of its own, which a test may kill. Each span's id and
// name is in FILE, in the kernel's hands, before its batch is acknowledged.
import {openSync, writeSync} from 'node:fs';
import {collectorServer} from '../lib/collector.js';

const [port, file] = process.argv.slice(2);
const out = openSync(file!, 'a');
collectorServer((spans) => {
  writeSync(
    out,
    spans.map((span) => `${span.spanId} ${span.name} ${String(span.attributes['websocket.session.id'])}\n`).join(''),
  );
  return undefined;
}).listen(Number(port), '127.0.0.1', () => console.log('listening'));
process.on('SIGTERM', () => process.exit(0));
