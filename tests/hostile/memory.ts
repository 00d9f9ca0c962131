// What the proxy keeps of messages to understand them: of many sessions, as much as each may have.
import {pause} from '../lib/wait.js';
import {type Attack, type Attackers, frame} from './attack.js';

const jsonrpc = {route: {dialect: 'jsonrpc'}};
// A number of sessions that each send something once and then stay.
const staying = (sessions: number, first: (index: number) => Buffer[]) => async (by: Attackers) => {
  let next = 0;
  by.begin();
  await Promise.all(
    Array.from({length: 16}, async () => {
      while (next < sessions && !by.over) {
        const index = next++;
        const socket = await by.session();
        for (const bytes of first(index)) if (socket) await by.write(socket, bytes);
        by.count('sent');
      }
    }),
  );
};
const call = (id: string, method = 'work'): Buffer =>
  frame(1, `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":${JSON.stringify(method)},"params":[]}`);

export const memory: Attack[] = [
  {
    name: 'unfinished-json',
    what: '300 sessions with a JSON message of 1 MiB that never ends',
    target: 'proxy',
    ci: 1,
    attackers: [1],
    setting: jsonrpc,
    run: async (by) => {
      const begin = frame(1, `{"jsonrpc":"2.0","id":1,"method":"work","params":["${'x'.repeat(60_000)}`, false);
      const more = frame(0, 'x'.repeat(60_000), false);
      await staying(300, () => [begin, ...Array.from({length: 15}, () => more)])(by);
    },
  },
  {
    name: 'open-calls',
    what: '300 sessions with 256 calls each that are never answered, all of their names long',
    target: 'proxy',
    ci: 1,
    attackers: [1],
    seconds: 4,
    setting: jsonrpc,
    run: async (by) => {
      const long = 'x'.repeat(4000);
      const calls = Buffer.concat(Array.from({length: 256}, (_, i) => call(`${i}${long}`, `${i}${long}`)));
      await staying(300, () => [calls])(by);
    },
  },
  {
    name: 'open-calls-traced',
    what: 'the same with spans exported to a collector that is not there',
    target: 'proxy',
    attackers: [1],
    setting: {
      ...jsonrpc,
      config: {export: {otlp: {endpoint: 'http://127.0.0.1:9'}}, sampling: {ratio: 1}},
    },
    run: async (by) => {
      const long = 'x'.repeat(4000);
      const calls = Buffer.concat(Array.from({length: 256}, (_, i) => call(`${i}${long}`, `${i}${long}`)));
      await staying(300, () => [calls, calls, calls])(by);
    },
  },
  {
    name: 'jsonrpc-flood',
    what: 'valid calls, each with an id of its own, as fast as they are taken',
    target: 'proxy',
    ci: 32,
    setting: jsonrpc,
    run: async (by) => {
      const bytes = Buffer.concat(
        Array.from({length: 700}, () => call(Math.random().toString(36), 'eth_getBlockByNumber')),
      );
      await by.each(async () => {
        const socket = await by.session();
        if (socket) await by.flood(socket, bytes, 'calls', 700);
      });
    },
  },
  {
    name: 'jsonrpc-batches',
    what: 'batches of thousands of small calls in one message',
    target: 'proxy',
    setting: jsonrpc,
    run: async (by) => {
      const calls = Array.from({length: 12_000}, (_, i) => `{"jsonrpc":"2.0","id":${i},"method":"m"}`);
      const bytes = frame(1, `[${calls.join(',')}]`);
      await by.each(async () => {
        const socket = await by.session();
        if (socket) await by.flood(socket, bytes, 'batches', 1);
      });
    },
  },
  {
    name: 'jsonrpc-names',
    what: 'a method name of its own in every call, each a label that is not to become a series',
    target: 'proxy',
    setting: jsonrpc,
    run: async (by) => {
      let next = 0;
      await by.each(async () => {
        const socket = await by.session();
        while (socket && !by.over) {
          const some = Buffer.concat(Array.from({length: 200}, () => call(`${++next}`, `method-${next}`)));
          if (!(await by.write(socket, some))) return;
          by.count('calls', 200);
        }
      });
    },
  },
  {
    name: 'deep-json',
    what: 'JSON of a hundred thousand brackets',
    target: 'proxy',
    setting: jsonrpc,
    run: async (by) => {
      const bytes = frame(1, `{"jsonrpc":"2.0","id":1,"method":"m","params":${'['.repeat(100_000)}`);
      await by.each(async () => {
        const socket = await by.session();
        if (socket) await by.flood(socket, bytes, 'messages', 1);
        await pause(1);
      });
    },
  },
  {
    name: 'default-json',
    what: 'the calls on a route as it is by default, which finds out itself what they are',
    target: 'proxy',
    run: async (by) => {
      const bytes = Buffer.concat(Array.from({length: 700}, () => call(Math.random().toString(36), 'tools/call')));
      await by.each(async () => {
        const socket = await by.session();
        if (socket) await by.flood(socket, bytes, 'calls', 700);
      });
    },
  },
];
