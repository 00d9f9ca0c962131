// The service behind the proxy: it answers chats in a stream of small pieces, takes media, and otherwise stays quiet.
// Prints its port on one line and ends with its parent.
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {WebSocket, WebSocketServer} from 'ws';

const http = createServer((request, response) => {
  response.writeHead(200, {'content-type': 'text/plain'});
  response.end(`${request.url} is well\n`);
});
const server = new WebSocketServer({server: http, perMessageDeflate: true});

server.on('connection', (socket, request) => {
  const path = new URL(request.url ?? '/', 'http://backend').pathname;
  if (path === '/chat') socket.on('message', (data) => streamReply(socket, data.toString()));
  if (path === '/media') acknowledgeMedia(socket);
  if (path.startsWith('/v1/realtime')) assist(socket);
  socket.on('error', () => socket.terminate());
});

function streamReply(socket: WebSocket, question: string): void {
  const pieces = Array.from({length: 8}, (_, i) => `${question.slice(0, 24)} · piece ${i + 1} of 8`);
  const timer = setInterval(() => {
    const piece = pieces.shift();
    if (piece === undefined || socket.readyState !== WebSocket.OPEN) return clearInterval(timer);
    socket.send(piece);
  }, 40);
}

function acknowledgeMedia(socket: WebSocket): void {
  let chunks = 0;
  socket.on('message', () => {
    chunks += 1;
    if (chunks % 50 === 0) socket.send(JSON.stringify({event: 'mark', chunks}));
  });
}

// A voice model's service, in the words of OpenAI's realtime API: each answer is a stream of audio, whose first piece
// takes its time, and one in six stops in the middle for a while. That pause is what a listener complains of.
function assist(socket: WebSocket): void {
  let answers = 0;
  const say = (event: object): void =>
    void (socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(event)));
  say({type: 'session.created', event_id: 'event_0', session: {id: 'sess_demo', model: 'demo-voice'}});
  socket.on('message', (data) => {
    const asked = JSON.parse(data.toString()) as {type: string};
    if (asked.type !== 'response.create') return;
    answers += 1;
    void answer(say, `resp_${answers}`, answers % 6 === 0);
  });
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

async function answer(say: (event: object) => void, id: string, stalls: boolean): Promise<void> {
  const audio = Buffer.alloc(1200, 0x55).toString('base64');
  say({type: 'response.created', event_id: `event_${id}_0`, response: {id, status: 'in_progress'}});
  await pause(250 + Math.random() * 250);
  for (let i = 1; i <= 20; i += 1) {
    say({
      type: 'response.output_audio.delta',
      event_id: `event_${id}_${i}`,
      response_id: id,
      item_id: `item_${id}`,
      output_index: 0,
      content_index: 0,
      delta: audio,
    });
    await pause(stalls && i === 9 ? 1800 : 40 + Math.random() * 20);
  }
  const usage = {total_tokens: 180, input_tokens: 60, output_tokens: 120};
  say({type: 'response.done', event_id: `event_${id}_done`, response: {id, status: 'completed', output: [], usage}});
}

http.listen(0, '127.0.0.1', () => console.log((http.address() as AddressInfo).port));
process.stdin.on('end', () => process.exit(0)).resume();
