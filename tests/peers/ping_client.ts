// ping_client.mjs URL: connects, does nothing but answer pings, and prints "connected" and "ping <unix ms>" for each.
import {WebSocket} from 'ws';

const socket = new WebSocket(process.argv[2]!);
socket.on('open', () => console.log('connected'));
socket.on('ping', () => console.log(`ping ${Date.now()}`));
socket.on('close', (code) => console.log(`close ${code}`));
socket.on('error', (error) => console.error(error.message));
process.on('SIGTERM', () => process.exit(0));
