// One real client: client.ts KIND URL. Its process can be stopped or killed without touching the others.
import {WebSocket} from 'ws';

const [kind = 'idle', url = ''] = process.argv.slice(2);
const socket = new WebSocket(url, {perMessageDeflate: kind === 'chat'});

const behaviours: Record<string, () => void> = {
  chat: () => {
    const ask = (): void => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(`How is the weather in town ${Math.floor(Math.random() * 90) + 10}?`);
      setTimeout(ask, 400 + Math.random() * 1200);
    };
    ask();
  },
  // 20 ms of 8 kHz audio, 50 times a second: what a phone call looks like on the wire.
  media: () => {
    const chunk = Buffer.alloc(160, 0x7f);
    setInterval(() => socket.readyState === WebSocket.OPEN && socket.send(chunk), 20);
  },
  // Asks a voice model for one answer after another.
  assistant: () => {
    const ask = (): void =>
      void (socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify({type: 'response.create'})));
    socket.on('message', (data) => {
      if ((JSON.parse(data.toString()) as {type: string}).type === 'response.done')
        setTimeout(ask, 1000 + Math.random() * 1000);
    });
    ask();
  },
  idle: () => {},
  // Says goodbye after a while, as a visitor does.
  visitor: () => void setTimeout(() => socket.close(1000, 'done'), 4000 + Math.random() * 4000),
};

socket.on('open', () => {
  console.log('open');
  behaviours[kind]?.();
});
socket.on('error', () => process.exit(1));
socket.on('close', () => process.exit(0));
process.stdin.on('end', () => process.exit(0)).resume();
