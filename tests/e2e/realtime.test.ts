// Conversations as voice agents have them, and streamed replies by the hundred: what spans tell of each, against what
// the client and the server know themselves.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {describe, it} from 'node:test';
import OpenAI from 'openai';
import {OpenAIRealtimeWS} from 'openai/realtime/ws';
import {Authority} from '../lib/certs.js';
import type {Span} from '../lib/collector.js';
import {eventually, withDeadline} from '../lib/wait.js';
import {readAs, spansOfCalls, stage} from './calls.js';
import {type Event, play} from './realtime.js';
import {backend, cleanup, connected, metrics, quiet, shut} from './support.js';

const full = Boolean(process.env.SOCKEYE_E2E_FULL);

// Mulberry32: the same conversation every time.
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

describe('openai, Realtime: 200 turns of every kind, each told once, with its tokens,', {concurrency: 2}, () => {
  for (const insert of ['none', 'to_server'])
    it(`with context inserted: ${insert}`, async () => {
      const authority = new Authority();
      const server = await backend({echo: false});
      const {answers, transcripts} = play(server);
      const front = authority.issue('front');
      const at = await stage(server.port, {tls: {certificate: front.certificate, key: front.key}, trace: {insert}});
      const client = new OpenAIRealtimeWS(
        {model: 'gpt-realtime', options: {ca: readFileSync(authority.ca)}},
        new OpenAI({apiKey: 'none', baseURL: `https://127.0.0.1:${at.one.port}/v1`}),
      );
      cleanup(() => client.socket.terminate());

      const counts = new Map<string, number>();
      const errors: Event[] = [];
      let last: Event = {},
        tool: Event = {};
      let arrived: () => void = () => undefined;
      client.on('event', (event: Event) => {
        counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
        if (event.type === 'response.done') last = event.response;
        if (event.type === 'response.output_item.done' && event.item.type === 'function_call') tool = event.item;
        arrived();
      });
      client.on('error', (error) => {
        if (error.error) errors.push(error.error);
      });
      const count = (type: string): number => counts.get(type) ?? 0;
      const seen = (type: string, wanted: number): Promise<void> =>
        withDeadline(10_000, `${type} number ${wanted}`, async () => {
          while (count(type) < wanted) await new Promise<void>((resolve) => (arrived = resolve));
        });
      const done = async (status: string, reason?: string) => {
        await seen('response.done', ++responses);
        assert.deepEqual([last.status, last.status_details?.reason], [status, reason]);
      };

      // What the client does, and what must come of it.
      let responses = 0,
        asked = 0,
        spoken = 0,
        tools = 0,
        late = 0;
      const refused: (string | null)[] = [];
      const next = random(20_260_101),
        some = (from: number, to: number): number => from + next(to - from + 1);
      const create = (numbered = true): string | null => {
        const event_id = `ask_${++asked}`;
        client.send({type: 'response.create', ...(numbered ? {event_id} : {})});
        return numbered ? event_id : null;
      };
      const ask = (text: string) => {
        client.send({
          type: 'conversation.item.create',
          item: {type: 'message', role: 'user', content: [{type: 'input_text', text}]},
        });
        create();
      };
      const append = (bytes: Buffer) =>
        client.send({type: 'input_audio_buffer.append', audio: bytes.toString('base64')});
      const begin = async (text: string) => {
        const half = text.length >> 1;
        append(Buffer.from(text.slice(0, half)));
        append(Buffer.from(text.slice(half)));
        await seen('input_audio_buffer.speech_started', ++spoken);
      };
      const silence = () => append(Buffer.alloc(960));
      const say = async (text: string) => {
        await begin(text);
        silence();
      };
      const either = async (text: string) => (next(2) ? say(text) : ask(text));
      // Until it has said something, or not even that.
      const streaming = async () => {
        const pieces = some(0, 8);
        if (pieces) await seen('response.output_audio.delta', count('response.output_audio.delta') + pieces);
      };

      type Step = [turns: number, often: number, play: () => Promise<void>];
      const steps: Record<string, Step> = {
        written: [
          1,
          4,
          async () => {
            ask(`write ${some(1, 9)}`);
            await done('completed');
          },
        ],
        aloud: [
          1,
          2,
          async () => {
            ask(`speak ${some(1, 9)}`);
            await done('completed');
          },
        ],
        heard: [
          1,
          6,
          async () => {
            await say(`speak ${some(1, 9)}`);
            await done('completed');
          },
        ],
        interrupted: [
          2,
          5,
          async () => {
            await either('speak for ever');
            await streaming();
            const text = `speak ${some(1, 5)}`;
            await begin(text);
            await done('cancelled', 'turn_detected');
            client.send({
              type: 'conversation.item.truncate',
              item_id: last.output[0].id,
              content_index: 0,
              audio_end_ms: 100,
            });
            silence();
            await done('completed');
          },
        ],
        cancelled: [
          1,
          3,
          async () => {
            await either('speak for ever');
            await streaming();
            client.send({type: 'response.cancel'});
            await done('cancelled', 'client_cancelled');
          },
        ],
        // What the client gives up is over already.
        'cancelled too late': [
          1,
          1,
          async () => {
            ask('write');
            await done('completed');
            client.send({type: 'response.cancel', event_id: `late_${++late}`});
            await eventually('its refusal', () => errors.some((each) => each.event_id === `late_${late}`), 10_000, 1);
          },
        ],
        tool: [
          2,
          4,
          async () => {
            await either('weather');
            await done('completed');
            ++tools;
            client.send({
              type: 'conversation.item.create',
              item: {type: 'function_call_output', call_id: tool.call_id, output: '{"celsius":4}'},
            });
            create();
            await done('completed');
          },
        ],
        failed: [
          1,
          3,
          async () => {
            await either(`break ${some(1, 6)}`);
            await done('failed');
          },
        ],
        incomplete: [
          1,
          3,
          async () => {
            await either(`ramble ${some(1, 6)}`);
            await done('incomplete', 'max_output_tokens');
          },
        ],
        // The service answers what it heard before it reads that it was also asked.
        'asked at the end of speech': [
          2,
          4,
          async () => {
            await begin(`speak ${some(2, 6)}`);
            silence();
            refused.push(create(next(4) > 0)); // clients need not number what they send
            await done('completed');
          },
        ],
        'asked while it answers': [
          2,
          3,
          async () => {
            await either('speak for ever');
            await streaming();
            refused.push(create(next(4) > 0)); // clients need not number what they send
            await eventually('the refusal', () => errors.length === refused.length + late, 10_000, 1);
            client.send({type: 'response.cancel'});
            await done('cancelled', 'client_cancelled');
          },
        ],
      };
      const played: Record<string, number> = {};
      const draw = Object.entries(steps).flatMap(([name, [, often]]) => Array.from({length: often}, () => name));

      await seen('session.created', 1);
      client.send({
        type: 'session.update',
        session: {type: 'realtime', audio: {input: {transcription: {model: 'gpt-4o-transcribe'}}}},
      });
      await seen('session.updated', 1);
      await readAs(at, 'openai-realtime');
      for (let turns = 0; turns < 200; ) {
        const name = draw[next(draw.length)]!,
          [cost, , run] = steps[name]!;
        if (turns + cost > 200) continue;
        await run();
        turns += cost;
        played[name] = (played[name] ?? 0) + 1;
      }
      await seen('conversation.item.input_audio_transcription.completed', spoken);
      assert.deepEqual(Object.keys(played).sort(), Object.keys(steps).sort(), 'every kind was played');
      assert.deepEqual(
        errors.filter((each) => each.code === 'conversation_already_has_active_response').map((each) => each.event_id),
        refused,
      );
      assert.equal(answers.length + refused.length, 200);
      await eventually(
        'nothing is open',
        async () => (await metrics(at.one)).sum('websocket_invocations_active') === 0,
      );
      client.close();

      const spans = await spansOfCalls(at);
      const of = (name: string) => spans.filter((span) => span.name === name);
      const turns = of('realtime_inference');
      assert.equal(turns.length, 200, 'a span a turn');
      assert.deepEqual(
        [of('user_speech').length, of('transcription').length, of('execute_tool get_weather').length],
        [spoken, spoken, tools],
      );
      assert.equal(spans.length, 200 + 2 * spoken + tools, 'and no others');
      for (const span of spans.filter((each) => each.name !== 'realtime_inference'))
        assert.equal(span.attributes['websocket.invocation.status'], 'ok', span.name);

      const told = new Map(
        turns
          .filter((span) => span.attributes['gen_ai.response.id'])
          .map((span) => [String(span.attributes['gen_ai.response.id']), span]),
      );
      const status = {completed: 'ok', cancelled: 'cancelled', failed: 'error', incomplete: 'incomplete'};
      const waits: number[] = [];
      for (const answer of answers) {
        const span = told.get(answer.id);
        assert.ok(span, answer.id);
        const is = (name: string) => span.attributes[`websocket.${name}`];
        assert.deepEqual(
          [
            is('invocation.status'),
            is('invocation.end'),
            is('chunk.count'),
            is('lane.audio.chunk.count') ?? 0,
            is('invocation.trigger'),
          ],
          [status[answer.status], 'reply', answer.chunks, answer.audio, answer.spoken ? 'vad' : undefined],
          answer.id,
        );
        assert.deepEqual(
          [span.attributes['gen_ai.response.finish_reasons']].flat(),
          [answer.finish === 'failed' ? 'error' : answer.finish],
          answer.id,
        );
        assert.deepEqual(
          [span.attributes['gen_ai.usage.input_tokens'], span.attributes['gen_ai.usage.output_tokens']],
          [answer.input, answer.output],
          answer.id,
        );
        assert.equal(
          span.attributes['error.type'],
          {failed: 'model_overloaded', incomplete: 'incomplete', completed: undefined, cancelled: undefined}[
            answer.status
          ],
          answer.id,
        );
        // Only what answers speech has a moment from which a person waits.
        assert.equal(is('time_to_first_chunk.anchor'), answer.wait === undefined ? undefined : 'vad', answer.id);
        assert.equal(
          typeof is('time_to_first_chunk.perceived'),
          answer.wait === undefined ? 'undefined' : 'number',
          answer.id,
        );
        // What the service is told of who asked is the span of this answer, unless it answers speech.
        assert.equal(
          answer.traceparent,
          insert === 'none' || answer.spoken ? undefined : `00-${span.traceId}-${span.spanId}-01`,
          answer.id,
        );
        if (answer.wait !== undefined)
          waits.push(Math.abs(1e3 * Number(is('time_to_first_chunk.perceived')) - answer.wait));
      }
      waits.sort((a, b) => a - b);
      assert.ok(
        waits.length > 40 && waits[waits.length >> 1]! < 5,
        `the median wait is ${waits[waits.length >> 1]} ms off`,
      );
      const errorsTold = turns.filter((span) => !span.attributes['gen_ai.response.id']);
      assert.equal(told.size, answers.length);
      assert.equal(errorsTold.length, refused.length);
      for (const span of errorsTold)
        assert.deepEqual(
          [
            span.attributes['websocket.invocation.status'],
            span.attributes['error.type'],
            span.attributes['websocket.chunk.count'],
          ],
          ['error', 'conversation_already_has_active_response', 0],
        );

      const counted = await quiet(at.one);
      for (const kind of ['input', 'output'] as const) {
        const spent = (each: {input: number; output: number}[]) => each.reduce((sum, one) => sum + one[kind], 0);
        const sum = (each: Span[]) =>
          each.reduce((total, span) => total + Number(span.attributes[`gen_ai.usage.${kind}_tokens`] ?? 0), 0);
        assert.equal(sum(turns), spent(answers));
        assert.equal(sum(of('transcription')), spent(transcripts));
        assert.equal(
          counted.sum('gen_ai_client_token_usage_sum', {gen_ai_token_type: kind}),
          spent(answers) + spent(transcripts),
        );
        assert.equal(
          counted.sum('gen_ai_client_token_usage_count', {gen_ai_token_type: kind}),
          answers.length + transcripts.length,
        );
      }
      for (const state of ['ok', 'error', 'cancelled', 'incomplete'])
        assert.equal(
          counted.sum('websocket_invocations_total', {operation: 'realtime_inference', status: state}),
          turns.filter((span) => span.attributes['websocket.invocation.status'] === state).length,
          state,
        );
    });
});

// Client and server are in this process and share a clock, and the proxy stands between them: what passes it, passes
// after it was sent here and before it came here. So its times lie within bounds that hold however busy the machine is
// (but for the moments between its looking at the clock and at what came), and near what both ends saw but for the time
// for which this process itself stood still.
it(`${full ? 1000 : 200} streamed calls: spans tell the latencies that client and server measured`, async (test) => {
  const total = full ? 1000 : 200,
    connections = 5;
  interface Timed {
    asked: number; // here: sent by the client
    got: number; // there: taken by the server
    sent: number[]; // by the server
    seen: number[]; // by the client
    done: () => void;
    over: number;
  }
  const timed = new Map<string, Timed>();
  const now = () => performance.now();

  // When this process stood still, and for how long.
  const stalls: {from: number; to: number}[] = [];
  let ticked = now();
  const ticker = setInterval(() => {
    const at = now();
    if (at - ticked > 2) stalls.push({from: ticked + 1, to: at});
    ticked = at;
  }, 1);
  cleanup(() => clearInterval(ticker));

  const server = await backend({echo: false});
  const next = random(7);
  server.accepted = (socket) =>
    socket.on('message', (data) => {
      const got = now();
      const {
        headers: {id},
      } = JSON.parse(String(data));
      const one = timed.get(id)!;
      one.got = got;
      const chunks = 5 + next(16);
      const say = () => {
        const seq = one.sent.length;
        one.sent.push(now());
        socket.send(JSON.stringify({headers: {correlationId: id, seq, final: seq + 1 === chunks}, body: 'word '}));
        if (seq + 1 < chunks) setTimeout(say, 1 + next(10));
      };
      setTimeout(say, 1 + next(10));
    });
  const at = await stage(server.port, {dialect: 'envelope'});
  let begun = 0;
  await Promise.all(
    Array.from({length: connections}, async () => {
      const socket = await connected(at.url);
      socket.on('message', (data) => {
        const seen = now();
        const {headers} = JSON.parse(String(data));
        const one = timed.get(headers.correlationId)!;
        one.seen.push(seen);
        if (headers.final) one.done();
      });
      while (begun < total) {
        const id = `call-${++begun}`;
        await withDeadline(
          20_000,
          `answer to ${id}`,
          () =>
            new Promise<void>((done) => {
              timed.set(id, {asked: now(), got: 0, sent: [], seen: [], done, over: 0});
              socket.send(JSON.stringify({headers: {id, operation: 'stream'}, body: null}));
            }),
        );
        timed.get(id)!.over = now();
      }
      await shut(socket);
    }),
  );
  clearInterval(ticker);

  const spans = await spansOfCalls(at);
  assert.equal(spans.length, total);
  const gaps = (times: number[]) => times.slice(1).map((time, i) => time - times[i]!);
  const mean = (times: number[]) => (times.at(-1)! - times[0]!) / (times.length - 1);
  const off: Record<string, number[]> = {};
  const loose: number[] = [];
  const raw: Record<string, number[]> = {},
    impossible: Record<string, number[]> = {};
  const stood: number[] = [];
  for (const span of spans) {
    const one = timed.get(String(span.attributes['messaging.message.id']))!;
    assert.deepEqual(
      [span.name, span.attributes['websocket.invocation.status'], span.attributes['websocket.chunk.count']],
      ['stream', 'ok', one.sent.length],
    );
    const {asked, got, sent, seen} = one,
      end = sent.length - 1;
    // The longest time in which a message waited for this process.
    const still = Math.max(
      0,
      ...stalls
        .filter((each) => each.to > asked && each.from < one.over)
        .map((each) => Math.min(each.to, one.over) - Math.max(each.from, asked)),
    );
    stood.push(still);
    loose.push((seen[end]! - asked - (sent[end]! - got)) / (sent[end]! - got));
    // What it says; what the server saw and the client saw; the least and the most that is possible.
    const figures: Record<string, [number, number, number, number, number]> = {
      time_to_first_chunk: [
        Number(span.attributes['websocket.time_to_first_chunk']),
        sent[0]! - got,
        seen[0]! - asked,
        sent[0]! - got,
        seen[0]! - asked,
      ],
      time_to_last_chunk: [
        Number(span.attributes['websocket.time_to_last_chunk']),
        sent[end]! - got,
        seen[end]! - asked,
        sent[end]! - got,
        seen[end]! - asked,
      ],
      'chunk.interval.max': [
        Number(span.attributes['websocket.chunk.interval.max']),
        Math.max(...gaps(sent)),
        Math.max(...gaps(seen)),
        Math.max(...sent.slice(1).map((time, i) => time - seen[i]!)),
        Math.max(...seen.slice(1).map((time, i) => time - sent[i]!)),
      ],
      'chunk.interval.mean': [
        Number(span.attributes['websocket.chunk.interval.mean']),
        mean(sent),
        mean(seen),
        (sent[end]! - seen[0]!) / end,
        (seen[end]! - sent[0]!) / end,
      ],
    };
    for (const [name, [seconds, there, here, least, most]] of Object.entries(figures)) {
      const told = 1e3 * seconds;
      const beyond = Math.max(0, least - told, told - most);
      assert.ok(
        beyond < 20,
        `${name} of ${span.attributes['messaging.message.id']}: ${told} ms, possible are ${least} to ${most}`,
      );
      (impossible[name] ??= []).push(beyond);
      const [low, high] = [Math.min(there, here), Math.max(there, here)];
      const away = Math.max(0, low - told, told - high);
      (raw[name] ??= []).push(away);
      (off[name] ??= []).push(Math.max(0, away - still));
    }
  }
  const at99 = (values: number[]) => values.sort((a, b) => a - b)[Math.ceil(0.99 * values.length) - 1]!;
  stood.sort((a, b) => a - b);
  test.diagnostic(
    `half of the calls leave ${(100 * loose.sort((a, b) => a - b)[total >> 1]!).toFixed(1)} % ` +
      'of their length uncertain',
  );
  test.diagnostic(
    `this process stood still for over 2 ms during ${stood.filter((each) => each > 2).length} of ${total} calls`,
  );
  // The bounds are worth something: half of the calls leave less than a tenth of their length open.
  assert.ok(loose[total >> 1]! < 0.1, `too busy to measure: ${loose[total >> 1]} of a call's length is uncertain`);
  for (const [name, values] of Object.entries(off)) {
    test.diagnostic(
      `${name} at p99: ${at99(raw[name]!).toFixed(3)} ms off, ` +
        `of which this process explains all but ${at99(values).toFixed(3)} ms`,
    );
    assert.ok(
      at99(impossible[name]!) <= 1,
      `${name} is ${at99(impossible[name]!)} ms beyond what is possible, for one call in a hundred`,
    );
    assert.ok(at99(values) <= 2, `${name} is ${at99(values)} ms from what either end saw, for one call in a hundred`);
  }
});
