// Runs the cases of one direction against one peer, direct and through the proxy.
//
//   client: fuzzer (client) → [proxy] → echo server
//   server: echo client → [proxy] → fuzzer (server)
//
// Nearly every case is quick but for pauses that are part of it, so many run at once; those that move megabytes or
// thousands of messages run two at a time.
import {acceptEndpoint, connectEndpoint, type Head, listenRaw} from '../lib/endpoint.js';
import type {Socket} from 'node:net';
import {startProxy} from '../lib/proxy.js';
import {pool, withDeadline} from '../lib/wait.js';
import type {Case} from './cases/case.js';
import {answerHeader, offerHeader, type Outcome, play} from './fuzzer.js';
import {type PeerName, startClient, startServer} from './peers.js';
import {judged, type Row, type Runner, triedAgain} from './verdict.js';

export type Direction = 'client' | 'server';
export type Progress = (done: number, of: number) => void;

const failed = (one: Case, error: unknown): Outcome => ({
  id: one.id,
  verdict: 'FAILED',
  close: 'FAILED',
  code: null,
  tcp: 'reset',
  seen: '',
  detail: error instanceof Error ? error.message : String(error),
  ms: 0,
});

const guarded =
  (runner: Runner): Runner =>
  (one) =>
    runner(one).catch((error: unknown) => failed(one, error));

const asClient =
  (port: number): Runner =>
  async (one) => {
    const ep = await connectEndpoint(
      {port},
      {path: `/case/${one.id}`, host: `127.0.0.1:${port}`, extensions: offerHeader(one)},
    );
    return play(one, ep, ep.head.get('sec-websocket-extensions'));
  };

// The limits a case exceeds on purpose are raised: 65,536 fragments, 16 MiB frames, 1000 pings in a row.
const route = (upstream: number) => ({
  upstream: `ws://127.0.0.1:${upstream}`,
  compression: process.env.CONFORMANCE_COMPRESSION ?? 'pass',
  conformance: 'strict',
  heartbeat: {interval: '1h', timeout: '1h'},
  limits: {frame: '64MiB', message: '256MiB', fragments: 1_000_000, control_rate: 100_000},
});

// What stands between the two ends: the proxy, or what a test of this suite puts in its place.
export type Between = (upstream: number) => Promise<{port: number; stop: () => Promise<void>}>;
export const throughProxy: Between = (upstream) => startProxy({routes: [route(upstream)]});

// More differences than this in one run are not luck: they count as they are.
const mostTriedAgain = 24;

export async function runSuite(
  direction: Direction,
  peer: PeerName,
  cases: Case[],
  between: Between | undefined,
  progress: Progress,
): Promise<Row[]> {
  const stop: (() => Promise<void>)[] = [];
  try {
    let direct: Runner, proxied: Runner | undefined;
    const behind = async (upstream: number) => {
      const one = await between!(upstream);
      stop.push(() => one.stop());
      return one.port;
    };
    if (direction === 'client') {
      const server = await startServer(peer);
      stop.push(() => server.process.stop());
      direct = guarded(asClient(server.port));
      if (between) proxied = guarded(asClient(await behind(server.port)));
    } else {
      const waiting = new Map<string, (socket: Socket, request: Head) => void>();
      const server = await listenRaw((socket, request) => {
        const take = waiting.get(request.target);
        waiting.delete(request.target);
        if (take) take(socket, request);
        else socket.destroy();
      });
      stop.push(async () => void server.close());
      const client = await startClient(peer);
      stop.push(() => client.stop());
      const asServer =
        (port: number, name: string): Runner =>
        async (one) => {
          const path = `/case/${name}/${one.id}`;
          const [socket, request] = await withDeadline(
            15_000,
            `connection for case ${one.id}`,
            () =>
              new Promise<[Socket, Head]>((resolve) => {
                waiting.set(path, (...arrived) => resolve(arrived));
                client.line(`ws://127.0.0.1:${port}${path}`);
              }),
          );
          const extensions = answerHeader(one, request);
          return play(one, acceptEndpoint(socket, request, {extensions}), extensions);
        };
      direct = guarded(asServer(server.port, 'direct'));
      if (between) proxied = guarded(asServer(await behind(server.port), 'proxied'));
    }

    const rows = new Map<string, Row>();
    let done = 0;
    const task = (one: Case) => async () => {
      rows.set(one.id, judged(one, await direct(one), await proxied?.(one)));
      progress(++done, cases.length);
    };
    const slow = (one: Case) => one.kind === 'script' && !one.heavy && one.steps.some((each) => each.kind !== 'write');
    const quick = cases.filter((one) => !one.heavy);
    await pool(24, [...quick.filter(slow), ...quick.filter((one) => !slow(one))].map(task));
    await pool(2, cases.filter((one) => one.heavy).map(task));

    const differing = cases.filter((one) => rows.get(one.id)!.worse);
    const again = (one: Case) => async () => {
      const first = rows.get(one.id)!;
      const run = {direct, proxied: proxied!};
      rows.set(one.id, await triedAgain(one, {direct: first.direct, proxied: first.proxied!}, run));
    };
    if (differing.length <= mostTriedAgain) await pool(4, differing.map(again));
    return cases.map((one) => rows.get(one.id)!);
  } finally {
    for (const each of stop.reverse()) await each();
  }
}
