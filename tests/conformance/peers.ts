// The echo peers: three implementations, each as a server and as a client, all with permessage-deflate.
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {binary, peerProgram, Process, python, testsFolder} from '../lib/process.js';

export type PeerName = 'ws' | 'python' | 'beast';
export const peerNames: PeerName[] = ['ws', 'python', 'beast'];

function command(peer: PeerName, mode: 'serve' | 'connect'): [string, string[]] {
  if (peer === 'ws') return [process.execPath, [peerProgram('ws_peer'), mode]];
  if (peer === 'python') return [python, ['-u', join(testsFolder, 'peers/python/peer.py'), mode]];
  const program = process.env.BEAST_PEER ?? binary('beast_peer');
  if (!existsSync(program)) throw new Error(`${program} is not built`);
  return [program, [mode]];
}

export async function startServer(peer: PeerName): Promise<{process: Process; port: number}> {
  const child = new Process(`${peer} server`, ...command(peer, 'serve'));
  const port = Number((await child.saw(/^listening (\d+)$/m))[1]);
  return {process: child, port};
}

export async function startClient(peer: PeerName): Promise<Process> {
  const child = new Process(`${peer} client`, ...command(peer, 'connect'));
  await child.saw(/^ready$/m);
  return child;
}
