// bystander.mjs URL: one session that talks all the time, a message each 20 ms behind the last one's echo. On a line of
// standard input it prints the longest wait since the last such line, in ms, and starts over.
import {createInterface} from 'node:readline';
import {WebSocket} from 'ws';

const socket = new WebSocket(process.argv[2]!, {perMessageDeflate: false});
let worst = 0,
  sent = 0,
  count = 0;
const talk = () => {
  sent = performance.now();
  socket.send(`still here ${++count}`);
};
socket.on('open', () => {
  console.log('connected');
  talk();
});
socket.on('message', (data) => {
  if (String(data) !== `still here ${count}`) throw new Error(`wrong echo: ${String(data)}`);
  worst = Math.max(worst, performance.now() - sent);
  setTimeout(talk, 20);
});
socket.on('close', (code) => {
  console.log(`closed ${code}`);
  process.exit(1);
});
socket.on('error', (error) => console.error(error.message));
createInterface({input: process.stdin}).on('line', (line) => {
  console.log(`worst ${line} ${Math.round(Math.max(worst, performance.now() - sent - 20))}`);
  worst = 0;
});
process.on('SIGTERM', () => process.exit(0));
