// bystanders.mjs proxy|console: whom the attack is no concern of, in a process of its own. Proxy: sessions, both ends
// of them, whose messages come back; new handshakes; /healthz. Console: exporters over HTTP and gRPC, a reader of the
// API, a page and a proxy that stay connected; /healthz. The first line on standard input says where, each further one
// asks for the waits since the one before.
import {createInterface} from 'node:readline';
import {ConsoleBystanders} from './bystanders_console.js';
import {ProxyBystanders} from './bystanders_proxy.js';
import {Timer} from './series.js';

const one = process.argv[2] === 'console' ? new ConsoleBystanders() : new ProxyBystanders();
const late = new Timer();
console.log(`listening ${await one.listen()}`);
let begun = false;
createInterface({input: process.stdin}).on('line', (line) => {
  if (!begun) {
    begun = true;
    one.begin(JSON.parse(line)).then(
      () => console.log('begun'),
      (error) => {
        console.error(String(error));
        process.exit(1);
      },
    );
  } else console.log(`lap ${line} ${JSON.stringify({...one.take(), late: late.take()})}`);
});
process.on('SIGTERM', () => process.exit(0));
