// Calls through the fleet: one span each, whose chunks have the times that were measured at both ends.
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {attributesOf, type Json} from './console.js';
import {type Call, operations} from './fleet.js';
import {endedSessions, fate, type Run, sum} from './fleet_run.js';

const perOperation = 12;
const clock = (ms: number): number => performance.timeOrigin + ms;

// A time from the opening message to a chunk, in ms: the proxy is between the two ends that measured.
function assertChunk(told: number, call: Call, chunk: number, what: string): void {
  const least = call.sent.at(chunk)! - call.got,
    most = call.seen.at(chunk)! - call.asked;
  assert.ok(told >= least - 0.1 && told <= most + 0.1, `${what}: ${told} is between ${least} and ${most}`);
}

export function callsTell(run: Run): void {
  const paths = (): string[] => [...new Set(run.calls.map((call) => call.path))].sort();
  const callsOn = (path: string): Call[] =>
    run.calls.filter((call) => call.path === path).sort((a, b) => a.asked - b.asked);
  const sessionOn = async (path: string): Promise<Json> =>
    (await run.fleet.console.api(`/sessions?${run.asked}&target=${path}`)).sessions[0];

  describe('calls', () => {
    it('are each one span of their session, with chunks when they came', async () => {
      assert.equal(paths().length, 6);
      for (const path of paths()) {
        const {invocations} = await run.fleet.console.api(`/sessions/${(await sessionOn(path)).id}`);
        const calls = callsOn(path);
        assert.deepEqual(
          invocations.map((span: Json) => span.name),
          calls.map((call) => call.operation),
        );
        for (const [i, call] of calls.entries()) {
          const span = invocations[i],
            of = attributesOf(span.attributes),
            what = `${call.operation} on ${path}`;
          const {gaps, manner} = operations[call.operation]!;
          assert.deepEqual(
            [of['websocket.invocation.status'], of['websocket.chunk.count'], span.status],
            [manner, gaps.length, manner === 'error' ? 'error' : 'unset'],
            what,
          );
          assert.ok(span.start_ms >= clock(call.asked) - 1 && span.start_ms <= clock(call.got) + 1, what);
          const duration = span.duration_ns / 1e6;
          assert.ok(duration >= call.ended - call.got - 0.1 && duration <= call.over - call.asked + 0.1, what);
          assertChunk(of['websocket.time_to_first_chunk'] * 1e3, call, 0, what);
          assertChunk(of['websocket.time_to_last_chunk'] * 1e3, call, -1, what);
          let at = 0;
          const times = of['websocket.chunk.times'].split(',').map((part: string) => (at += Number(part) / 1e3));
          assert.equal(times.length, gaps.length, what);
          for (const [chunk, time] of times.entries()) assertChunk(time, call, chunk, `chunk ${chunk} of ${what}`);
          const pauses = times.slice(1).map((time: number, n: number) => time - times[n]!);
          assert.ok(Math.abs(of['websocket.chunk.interval.max'] * 1e3 - Math.max(...pauses)) < 0.002, what);
        }
      }
    });

    it('are all of the spans of their session, page by page', async () => {
      for (const path of paths()) {
        const {id} = await sessionOn(path);
        const spans = await run.fleet.console.pages(`/sessions/${id}/spans?limit=3`, 'spans');
        assert.deepEqual(
          spans.map((span) => span.name).sort(),
          [...callsOn(path).map((call) => call.operation), 'websocket.connection', 'websocket.handshake'].sort(),
        );
        assert.equal(new Set(spans.map((span) => span.span_id)).size, spans.length);
      }
    });

    it('are counted by operation, and their percentiles are those of the spans', async () => {
      const rows = await run.fleet.console.pages(`/latency?${run.asked}&limit=7`, 'rows');
      for (const [operation, {manner}] of Object.entries(operations)) {
        const mine = rows.filter((row: Json) => row.operation === operation);
        assert.equal(sum(mine.map((row: Json) => row.count)), perOperation, operation);
        assert.equal(sum(mine.map((row: Json) => row.errors)), manner === 'error' ? perOperation : 0, operation);
        assert.equal(sum(mine.map((row: Json) => row.cancelled)), manner === 'cancelled' ? perOperation : 0, operation);
        for (const row of mine) {
          const spans = await run.fleet.console.pages(
            `/spans?${run.asked}&service=${row.service}&operation=${operation}&sort=duration&order=asc&limit=5`,
            'spans',
          );
          const told = spans.map((span) => span.duration_ns / 1e9);
          assert.equal(told.length, row.count);
          assert.deepEqual([row.duration.min_seconds, row.duration.max_seconds], [told[0], told.at(-1)]);
          const median = told[Math.ceil(told.length / 2) - 1]!;
          assert.ok(Math.abs(row.duration.p50_seconds - median) <= median * 0.01 + 1e-9);
        }
      }
      const connections = rows.filter((row: Json) => row.operation === 'websocket.connection');
      const handshakes = rows.filter((row: Json) => row.operation === 'websocket.handshake');
      assert.equal(sum(connections.map((row: Json) => row.count)), 220);
      assert.equal(sum(handshakes.map((row: Json) => row.count)), 300);
      assert.equal(
        sum(connections.map((row: Json) => row.errors)),
        endedSessions(run).filter((one) => fate(one)!.abnormal).length,
      );
    });

    it('and connections are grouped by route and end, in a range that ends in the middle, too', async () => {
      for (const [range, sessions] of [
        [run.asked, endedSessions(run)],
        // Spans begin with their session.
        [
          `from_ms=${run.at.began}&to_ms=${run.at.half}`,
          endedSessions(run).filter((one) => one.opened_ms[1] < run.at.half),
        ],
      ] as const)
        for (const [by, of] of [
          ['route', ({route}) => route],
          ['attribute:websocket.end_reason', (one) => fate(one)!.why],
          ['attribute:websocket.close.code', (one) => String(fate(one)!.code)],
          ['service', ({member}) => member],
          ['status', (one) => (fate(one)!.abnormal ? 'error' : 'unset')],
        ] as [string, (one: (typeof sessions)[number]) => string][]) {
          const path = `/groups?${range}&operation=websocket.connection&by=${by}`;
          const {groups, counted} = await run.fleet.console.api(path);
          const wanted: Record<string, [number, number]> = {};
          for (const one of sessions) {
            const counts = (wanted[of(one)] ??= [0, 0]);
            ++counts[0];
            counts[1] += Number(fate(one)!.abnormal);
          }
          assert.deepEqual(
            Object.fromEntries(groups.map((each: Json) => [each.value, [each.count, each.errors]])),
            wanted,
            path,
          );
          assert.equal(counted, sessions.length, path);
        }
    });

    it('are told to Jaeger as they are here', async () => {
      const {console: one} = run.fleet;
      assert.deepEqual(await one.jaeger('/services'), ['alpha', 'beta', 'gamma']);
      const names = [...Object.keys(operations), 'websocket.connection', 'websocket.handshake'].sort();
      assert.deepEqual(await one.jaeger('/services/alpha/operations'), names);
      assert.deepEqual(await one.jaeger('/services/gamma/operations'), ['websocket.connection', 'websocket.handshake']);
      for (const [operation, {gaps, manner}] of Object.entries(operations)) {
        const traces: Json[] = await one.jaeger(
          `/traces?service=alpha&operation=${operation}&start=${run.at.began * 1000}&limit=1500`,
        );
        const spans = traces.flatMap((trace) => trace.spans.filter((span: Json) => span.operationName === operation));
        const calls = run.calls.filter((call) => call.operation === operation && call.service === 'alpha');
        assert.deepEqual([traces.length, spans.length], [calls.length, calls.length], operation);
        for (const span of spans) {
          const tags = attributesOf(span.tags);
          assert.deepEqual(
            [
              tags['websocket.invocation.status'],
              tags['websocket.chunk.count'],
              tags['sockeye.route'],
              tags['span.kind'],
              tags['otel.status_code'],
              tags.error,
            ],
            [
              manner,
              gaps.length,
              'graph',
              'server',
              ...(manner === 'error' ? ['ERROR', true] : [undefined, undefined]),
            ],
          );
          const numbered = `attribute=websocket.invocation.number:${tags['websocket.invocation.number']}`;
          const same = (
            await one.api(`/spans?${run.asked}&${numbered}&operation=${operation}&service=alpha&limit=200`)
          ).spans.find((each: Json) => each.span_id === span.spanID);
          assert.deepEqual(
            [span.startTime, span.duration],
            [Number(BigInt(same.start_unix_ns) / 1000n), Math.floor(same.duration_ns / 1000)],
          );
          assert.equal(tags['websocket.chunk.times'], attributesOf(same.attributes)['websocket.chunk.times']);
        }
      }
      const failed = await one.jaeger(
        `/traces?service=alpha&start=${run.at.began * 1000}&limit=1500&tag=error:true&operation=websocket.connection`,
      );
      const wanted = endedSessions(run).filter((each) => each.member === 'alpha' && fate(each)!.abnormal);
      assert.equal(failed.length, wanted.length);
    });
  });
}
