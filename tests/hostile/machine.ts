// What is the machine's as much as ours: half-open connections, and what a process that holds keys leaves behind.
import {statSync} from 'node:fs';
import {execFile} from 'node:child_process';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {repository} from '../lib/process.js';
import type {Attack} from './attack.js';

const script = join(repository, 'tests/hostile/syn_flood.py');

export const machine: Attack[] = [
  {
    name: 'syn-flood',
    what: 'SYNs from addresses that never answer',
    target: 'proxy',
    attackers: [1],
    needs: 'namespace',
    seconds: 5,
    sheds: true, // SYN cookies, or a SYN that is sent again
    run: async (by) => {
      by.begin();
      const {stdout} = await promisify(execFile)('python3', [script, String(by.target.port), String(by.seconds - 2)]);
      const [sent, open] = stdout.split(' ').map(Number);
      by.count('SYNs', sent);
      by.count('half open at most', open);
    },
  },
  {
    name: 'core-files',
    what: 'whether a process that holds a TLS key could be dumped, or looked into by another of its user',
    target: 'proxy',
    attackers: [1],
    needs: 'root',
    setting: {tls: 'listener', user: 65_534},
    run: async (by) => {
      by.begin();
      // proc(5): what belongs to a process that is not dumpable belongs to root.
      const owner = statSync(`/proc/${by.target.pid}/mem`).uid;
      by.count(owner === 0 ? 'not dumpable' : '!the process is dumpable while it holds a key');
    },
  },
];
