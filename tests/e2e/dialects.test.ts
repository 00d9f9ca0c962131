// Applications of real libraries through the proxy: what each does is told call by call, and the application notices nothing.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {describe, it} from 'node:test';
import {buildSchema} from 'graphql';
import {createClient} from 'graphql-ws';
import {useServer} from 'graphql-ws/lib/use/ws';
import OpenAI from 'openai';
import {OpenAIRealtimeWS} from 'openai/realtime/ws';
import * as rpc from 'vscode-jsonrpc/node.js';
import {WebSocket, WebSocketServer} from 'ws';
import {Authority} from '../lib/certs.js';
import type {Span} from '../lib/collector.js';
import type {Proxy} from '../lib/proxy.js';
import {eventually, withDeadline} from '../lib/wait.js';
import {backend, type Backend, cleanup, proxy, quiet} from './support.js';
import {collector, type Collector, exported} from './collector.js';

interface Stage {
  one: Proxy;
  to: Collector;
  url: string;
}
async function stage(port: number, route = {}): Promise<Stage> {
  const to = await collector();
  const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${port}`, ...route}], config: exported(to.endpoint)});
  return {one, to, url: `ws://127.0.0.1:${one.port}`};
}
const readAs = (at: Stage, dialect: string): Promise<unknown> =>
  eventually(`the session is read as ${dialect}`, async () => (await at.one.sessions()).sessions.some((row: {dialect: string}) => row.dialect === dialect));

type Call = [operation: string, status: string, chunks: number];
// When every session has ended: its calls in the order they began. Each is one span and counted once, and no message was
// odd but those that are expected.
async function calls(at: Stage, expected: Call[], oddities: Record<string, number> = {}): Promise<Span[]> {
  const counted = await quiet(at.one);
  const total = counted.sum('websocket_invocations_total');
  const found = await eventually('a span of every call and of the connection', () => {
    const spans = at.to.spans.filter((span) => span.name !== 'websocket.invocation.interim' && 'websocket.invocation.number' in span.attributes);
    return spans.length >= total && at.to.spans.some((span) => span.name === 'websocket.connection') ? spans : undefined;
  }, 20_000);
  const place = (span: Span) => [String(span.attributes['websocket.session.id']), Number(span.attributes['websocket.invocation.number'])] as const;
  found.sort((a, b) => place(a)[0].localeCompare(place(b)[0]) || place(a)[1] - place(b)[1]);
  assert.deepEqual(found.map((span) => [span.name, span.attributes['websocket.invocation.status'], span.attributes['websocket.chunk.count']]), expected);
  assert.equal(total, expected.length);
  for (const [operation, status] of expected)
    assert.equal(counted.sum('websocket_invocations_total', {operation, status}), expected.filter((each) => each[0] === operation && each[1] === status).length, `${operation} ${status}`);
  assert.equal(counted.sum('websocket_invocations_active'), 0);
  assert.equal(counted.sum('websocket_anomalies_total'), 0);
  const odd = counted.samples.filter((each) => each.name === 'sockeye_dialect_oddities_total' && each.value).map((each) => [each.labels.kind, each.value]);
  assert.deepEqual(Object.fromEntries(odd), oddities);
  for (const span of found) assert.equal(span.status === 2, ['error', 'incomplete'].includes(String(span.attributes['websocket.invocation.status'])), span.name);
  return found;
}

// OpenAI's own client. The service is played here: the events of the GA API in the order it sends them, with its fields as far as
// clients read them; what is said is made up.
describe('openai, Realtime', () => {
  const authority = new Authority();
  type Event = Record<string, any>;

  function play(server: Backend): {input: number; output: number} {
    const spent = {input: 0, output: 0};
    server.server.on('upgrade', () => setImmediate(() => {
      for (const socket of server.sockets) if (!socket.listenerCount('message')) serve(socket);
    }));
    const serve = (socket: WebSocket) => {
      let events = 0, responses = 0, items = 0, turn = '';
      let stop: (() => void) | undefined;  // of the answer that goes on
      const send = (type: string, more: Event = {}) => socket.send(JSON.stringify({type, event_id: `event_${++events}`, ...more}));
      const session = {type: 'realtime', object: 'realtime.session', id: 'sess_1', model: 'gpt-realtime', output_modalities: ['audio'], instructions: '', tools: [], tool_choice: 'auto',
        max_output_tokens: 'inf', tracing: null, prompt: null, expires_at: 1_900_000_000, include: null,
        audio: {input: {format: {type: 'audio/pcm', rate: 24000}, transcription: null, noise_reduction: null, turn_detection: {type: 'server_vad', threshold: 0.5, create_response: true, interrupt_response: true}},
          output: {format: {type: 'audio/pcm', rate: 24000}, voice: 'marin', speed: 1}}};
      const item = (more: Event) => ({id: `item_${++items}`, object: 'realtime.item', ...more});
      const respond = (asked: Event) => {
        if (stop) {
          send('error', {error: {type: 'invalid_request_error', code: 'conversation_already_has_active_response', message: 'Conversation already has an active response.', param: null, event_id: asked.event_id ?? null}});
          return;
        }
        const number = ++responses;
        const response = {object: 'realtime.response', id: `resp_${number}`, status: 'in_progress', status_details: null, output: [] as Event[], conversation_id: 'conv_1', output_modalities: [turn === 'speak' ? 'audio' : 'text'],
          max_output_tokens: 'inf', usage: null as Event | null, metadata: asked.response?.metadata ?? null};
        send('response.created', {response});
        const tool = turn === 'weather';
        const out = item(tool ? {type: 'function_call', status: 'in_progress', name: 'get_weather', call_id: `call_${number}`, arguments: ''} : {type: 'message', status: 'in_progress', role: 'assistant', content: []}) as Event;
        const at = {response_id: response.id, item_id: out.id, output_index: 0, ...(tool ? {} : {content_index: 0})};
        send('response.output_item.added', {response_id: response.id, output_index: 0, item: out});
        send('conversation.item.added', {previous_item_id: null, item: out});
        if (!tool) send('response.content_part.added', {...at, part: turn === 'speak' ? {type: 'audio', transcript: ''} : {type: 'text', text: ''}});
        const finish = (status: 'completed' | 'cancelled') => {
          stop = undefined;
          out.status = status === 'completed' ? 'completed' : 'incomplete';
          if (tool) {
            out.arguments = '{"city":"Oslo"}';
            send('response.function_call_arguments.done', {...at, call_id: out.call_id, name: out.name, arguments: out.arguments});
          } else if (turn === 'speak') {
            send('response.output_audio.done', at);
            send('response.output_audio_transcript.done', {...at, transcript: 'word '.repeat(5)});
          } else {
            send('response.output_text.done', {...at, text: 'word '});
          }
          if (!tool) send('response.content_part.done', {...at, part: {type: 'text', text: 'word '}});
          send('conversation.item.done', {previous_item_id: null, item: out});
          send('response.output_item.done', {response_id: response.id, output_index: 0, item: out});
          const usage = {total_tokens: 0, input_tokens: 100 * number, output_tokens: 10 + number, input_token_details: {text_tokens: 100 * number, audio_tokens: 0, image_tokens: 0, cached_tokens: 64}, output_token_details: {text_tokens: 10, audio_tokens: number}};
          usage.total_tokens = usage.input_tokens + usage.output_tokens;
          spent.input += usage.input_tokens;
          spent.output += usage.output_tokens;
          send('response.done', {response: {...response, status, status_details: status === 'cancelled' ? {type: 'cancelled', reason: 'client_cancelled'} : null, output: [out], usage}});
          send('rate_limits.updated', {rate_limits: [{name: 'tokens', limit: 40_000, remaining: 39_000, reset_seconds: 0.1}]});
        };
        if (tool) {
          for (const delta of ['{"city"', ':"Oslo"', '}']) send('response.function_call_arguments.delta', {...at, call_id: out.call_id, delta});
          finish('completed');
        } else if (turn === 'speak') {
          for (let i = 0; i < 5; ++i) {
            send('response.output_audio_transcript.delta', {...at, delta: 'word '});
            send('response.output_audio.delta', {...at, delta: Buffer.alloc(2400, i).toString('base64')});
            send('response.output_audio.delta', {...at, delta: Buffer.alloc(2400, i).toString('base64')});
          }
          finish('completed');
        } else {
          for (let i = 0; i < 4; ++i) send('response.output_text.delta', {...at, delta: 'word '});
          if (turn === 'count for ever') stop = () => finish('cancelled');
          else finish('completed');
        }
      };
      socket.on('message', (data) => {
        const event = JSON.parse(String(data)) as Event;
        if (event.type === 'session.update') send('session.updated', {session: {...session, ...event.session}});
        if (event.type === 'conversation.item.create') {
          const added = item({status: 'completed', ...event.item});
          turn = event.item.type === 'message' ? event.item.content[0].text : 'tool result';
          send('conversation.item.added', {previous_item_id: null, item: added});
          send('conversation.item.done', {previous_item_id: null, item: added});
        }
        if (event.type === 'response.create') respond(event);
        if (event.type === 'response.cancel') stop?.();
      });
      send('session.created', {session});
    };
    return spent;
  }

  it('text, speech, a tool, a cancelled answer and a refused one', async () => {
    const server = await backend({echo: false});
    const spent = play(server);
    const front = authority.issue('front');
    // The client always uses TLS.
    const at = await stage(server.port, {tls: {certificate: front.certificate, key: front.key}});
    const client = new OpenAIRealtimeWS({model: 'gpt-realtime', options: {ca: readFileSync(authority.ca)}}, new OpenAI({apiKey: 'none', baseURL: `https://127.0.0.1:${at.one.port}/v1`}));
    cleanup(() => client.socket.terminate());
    const got: Event[] = [], errors: string[] = [];
    client.on('event', (event) => got.push(event));
    client.on('error', (error) => errors.push(error.error?.code ?? error.message));
    const seen = (type: string, count: number) => eventually(`${count} ${type}`, () => got.filter((event) => event.type === type).length >= count);
    const ask = (text: string) => {
      client.send({type: 'conversation.item.create', item: {type: 'message', role: 'user', content: [{type: 'input_text', text}]}});
      client.send({type: 'response.create'});
    };
    await seen('session.created', 1);
    client.send({type: 'session.update', session: {type: 'realtime', instructions: 'Be brief.'}});
    await seen('session.updated', 1);
    await readAs(at, 'openai-realtime');
    ask('write');
    await seen('response.done', 1);
    ask('speak');
    await seen('response.done', 2);
    ask('weather');
    await seen('response.done', 3);
    const call = got.find((event) => event.type === 'response.output_item.done' && event.item.type === 'function_call')!.item;
    client.send({type: 'conversation.item.create', item: {type: 'function_call_output', call_id: call.call_id, output: '{"celsius":4}'}});
    client.send({type: 'response.create'});
    await seen('response.done', 4);
    ask('count for ever');
    await seen('response.output_text.delta', 12);
    client.send({type: 'response.create', event_id: 'too_soon'});
    await eventually('the refusal', () => errors.length);
    client.send({type: 'response.cancel'});
    await seen('response.done', 5);
    await seen('rate_limits.updated', 5);
    client.close();

    assert.deepEqual(errors, ['conversation_already_has_active_response']);
    assert.equal(got.filter((event) => event.type === 'response.output_audio.delta').map((event) => event.delta).join('').length, 10 * 3200);
    const spans = await calls(at, [
      ['realtime_inference', 'ok', 4], ['realtime_inference', 'ok', 15], ['realtime_inference', 'ok', 3], ['execute_tool get_weather', 'ok', 0],
      ['realtime_inference', 'ok', 4], ['realtime_inference', 'cancelled', 4], ['realtime_inference', 'error', 0],
    ]);
    const sum = (name: string) => spans.reduce((total, span) => total + Number(span.attributes[name] ?? 0), 0);
    assert.deepEqual([sum('gen_ai.usage.input_tokens'), sum('gen_ai.usage.output_tokens')], [spent.input, spent.output]);
    const counted = await quiet(at.one);
    for (const kind of ['input', 'output'] as const) assert.equal(counted.sum('gen_ai_client_token_usage_sum', {gen_ai_token_type: kind}), spent[kind]);
    assert.equal(spans[1]!.attributes['websocket.lane.audio.chunk.count'], 10);
    assert.equal(spans[1]!.attributes['websocket.lane.transcript.chunk.count'], 5);
    assert.equal(spans[3]!.parentSpanId, spans[2]!.spanId, 'the tool is run for the answer that asked for it');
    assert.equal(spans[6]!.attributes['error.type'], 'conversation_already_has_active_response');
    for (const span of spans.filter((each) => each.name === 'realtime_inference')) assert.equal(span.attributes['gen_ai.request.model'], 'gpt-realtime');
  });
});

it('graphql-ws: a query, a subscription, one that is given up, and both kinds of error', async () => {
  const schema = buildSchema('type Query { greeting: String!, broken: String! } type Subscription { countdown(from: Int!): Int!, forever: Int! }');
  let stopped = 0;
  const roots = {
    greeting: () => 'hello',
    broken: () => {
      throw new Error('out of order');
    },
    countdown: async function* ({from}: {from: number}) {
      for (let countdown = from; countdown > 0; --countdown) yield {countdown};
    },
    forever: () => {
      let given = 0;
      return {
        [Symbol.asyncIterator]() {
          return this;
        },
        next: () => (++given <= 3 ? Promise.resolve({done: false, value: {forever: given}}) : new Promise(() => undefined)),
        return: async () => {
          ++stopped;
          return {done: true, value: undefined};
        },
      };
    },
  };
  const sockets = new WebSocketServer({port: 0, host: '127.0.0.1'});
  cleanup(() => sockets.close());
  await eventually('the server listens', () => sockets.address());
  useServer({schema, roots: {query: roots, subscription: roots}}, sockets);
  const at = await stage((sockets.address() as {port: number}).port);
  const client = createClient({url: `${at.url}/graphql`, webSocketImpl: WebSocket, lazy: false, retryAttempts: 0, keepAlive: 50, onNonLazyError: () => undefined});
  cleanup(() => client.dispose());
  const run = (query: string, operationName?: string) => withDeadline(10_000, query, () => new Promise<{results: any[]; failure?: any}>((resolve) => {
    const results: any[] = [];
    client.subscribe({query, operationName}, {next: (result) => results.push(result), error: (failure) => resolve({results, failure}), complete: () => resolve({results})});
  }));
  assert.deepEqual((await run('query Greet { greeting }', 'Greet')).results, [{data: {greeting: 'hello'}}]);
  await readAs(at, 'graphql-transport-ws');
  assert.deepEqual((await run('subscription { countdown(from: 5) }')).results.map((each) => each.data.countdown), [5, 4, 3, 2, 1]);
  assert.match((await run('{ nothing }')).failure[0].message, /nothing/);
  assert.match((await run('query Break { broken }', 'Break')).results[0].errors[0].message, /out of order/);
  const given: number[] = [];
  const stop = client.subscribe<{forever: number}>({query: 'subscription Endless { forever }', operationName: 'Endless'}, {next: (each) => given.push(each.data!.forever), error: () => undefined, complete: () => undefined});
  await eventually('three results', () => given.length === 3);
  stop();
  await eventually('the server has stopped', () => stopped);
  await eventually('a heartbeat is answered', async () => {
    const {body} = await at.one.get('/metrics');
    return /^websocket_application_heartbeats_total\{[^}]*s2c[^}]*\} [1-9]/m.test(body);
  });
  await client.dispose();
  const spans = await calls(at, [
    ['connection_init', 'ok', 0], ['Greet', 'ok', 1], ['subscription', 'ok', 5], ['query', 'error', 0], ['Break', 'error', 1], ['Endless', 'cancelled', 3],
  ]);
  assert.deepEqual(spans.map((span) => span.attributes['graphql.operation.type']), [undefined, 'query', 'subscription', undefined, 'query', 'subscription']);
});

// vscode-jsonrpc counts from 0 on both sides, so every id here is one the other side uses too.
it('vscode-jsonrpc: calls both ways under the same ids, partial results, an error, a cancelled call', async () => {
  class Reader extends rpc.AbstractMessageReader {
    constructor(private readonly socket: WebSocket) {
      super();
    }
    listen(callback: rpc.DataCallback): rpc.Disposable {
      this.socket.on('message', (data) => callback(JSON.parse(String(data))));
      this.socket.on('close', () => this.fireClose());
      return {dispose: () => undefined};
    }
  }
  class Writer extends rpc.AbstractMessageWriter implements rpc.MessageWriter {
    constructor(private readonly socket: WebSocket) {
      super();
    }
    async write(message: rpc.Message): Promise<void> {
      this.socket.send(JSON.stringify(message));
    }
    end(): void {}
  }
  const over = (socket: WebSocket) => rpc.createMessageConnection(new Reader(socket), new Writer(socket));
  const rows = new rpc.ProgressType<string[]>();
  const server = new WebSocketServer({port: 0, host: '127.0.0.1'});
  cleanup(() => server.close());
  await eventually('the server listens', () => server.address());
  let told = 0, slow = 0;
  server.on('connection', (socket) => {
    const peer = over(socket);
    peer.onRequest('initialize', async () => ({capabilities: {}, asked: await peer.sendRequest('workspace/configuration', {items: [{section: 'x'}]})}));
    peer.onRequest('workspace/symbol', async ({partialResultToken}: {partialResultToken: string}) => {
      for (const name of ['a', 'b', 'c']) await peer.sendProgress(rows, partialResultToken, [name]);
      return [];
    });
    peer.onRequest('slow', (_: unknown, token: rpc.CancellationToken) => new Promise((resolve) => {
      ++slow;
      token.onCancellationRequested(() => resolve(new rpc.ResponseError(-32800, 'cancelled')));
    }));
    peer.onNotification('textDocument/didChange', () => void ++told);
    peer.listen();
  });
  const at = await stage((server.address() as {port: number}).port);
  const socket = new WebSocket(at.url);
  cleanup(() => socket.terminate());
  const client = over(socket);
  client.onRequest('workspace/configuration', ({items}: {items: unknown[]}) => items.length);
  const open = new Promise((resolve) => socket.once('open', resolve));
  await withDeadline(10_000, 'connection', () => open);
  client.listen();
  await withDeadline(10_000, 'answers', async () => {
    assert.deepEqual(await client.sendRequest('initialize', {capabilities: {}}), {capabilities: {}, asked: 1});
    await readAs(at, 'jsonrpc');
    const names: string[] = [];
    client.onProgress(rows, 'token-1', (part) => names.push(...part));
    assert.deepEqual(await client.sendRequest('workspace/symbol', {query: '', partialResultToken: 'token-1'}), []);
    assert.deepEqual(names, ['a', 'b', 'c']);
    await client.sendNotification('textDocument/didChange', {text: 'x'});
    await assert.rejects(client.sendRequest('no/such', {}), {code: rpc.ErrorCodes.MethodNotFound});
    const source = new rpc.CancellationTokenSource();
    const waiting = assert.rejects(client.sendRequest('slow', {}, source.token), {code: -32800});
    await eventually('the slow call runs', () => slow);
    source.cancel();
    await waiting;
  });
  await eventually('the notification', () => told);
  socket.close();
  const spans = await calls(at, [
    ['initialize', 'ok', 0], ['workspace/configuration', 'ok', 0], ['workspace/symbol', 'ok', 3], ['no/such', 'error', 0], ['slow', 'cancelled', 0],
  ]);
  assert.deepEqual(spans.map((span) => span.attributes['websocket.invocation.opened_by']), ['c2s', 's2c', 'c2s', 'c2s', 'c2s']);
  assert.deepEqual(spans.slice(0, 2).map((span) => String(span.attributes['jsonrpc.request.id'])), ['0', '0'], 'one id, two calls');
  assert.equal(spans[3]!.attributes['error.type'], '-32601');
});
