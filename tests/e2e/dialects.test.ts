// Applications of real libraries through the proxy: what each does is told call by call, and the application notices
// nothing.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {describe, it} from 'node:test';
import {Client as Stomp} from '@stomp/stompjs';
import Aedes from 'aedes';
import {buildSchema} from 'graphql';
import {createClient} from 'graphql-ws';
import {useServer} from 'graphql-ws/lib/use/ws';
import mqtt from 'mqtt';
import OpenAI from 'openai';
import {OpenAIRealtimeWS} from 'openai/realtime/ws';
import {Server as SocketServer} from 'socket.io';
import {Manager} from 'socket.io-client';
import * as rpc from 'vscode-jsonrpc/node.js';
import {createWebSocketStream, WebSocket, WebSocketServer} from 'ws';
import {Authority} from '../lib/certs.js';
import {temporaryFolder} from '../lib/process.js';
import {eventually, withDeadline} from '../lib/wait.js';
import {type Call, calls, readAs, stage} from './calls.js';
import {executable, flags} from './chromium.js';
import {type Event, play} from './realtime.js';
import {backend, child, cleanup, connected, metrics, quiet, shut} from './support.js';

// Side by side: spans leave in batches, and every test waits for its own.
describe('calls of', {concurrency: 4}, () => {
  // OpenAI's own client.
  const authority = new Authority();

  it('openai, Realtime: text, speech, a tool, a cancelled answer and a refused one', async () => {
    const server = await backend({echo: false});
    const {answers} = play(server);
    const front = authority.issue('front');
    // The client always uses TLS.
    const at = await stage(server.port, {tls: {certificate: front.certificate, key: front.key}});
    const client = new OpenAIRealtimeWS(
      {model: 'gpt-realtime', options: {ca: readFileSync(authority.ca)}},
      new OpenAI({apiKey: 'none', baseURL: `https://127.0.0.1:${at.one.port}/v1`}),
    );
    cleanup(() => client.socket.terminate());
    const got: Event[] = [],
      errors: string[] = [];
    client.on('event', (event) => got.push(event));
    client.on('error', (error) => errors.push(error.error?.code ?? error.message));
    const seen = (type: string, count: number) =>
      eventually(`${count} ${type}`, () => got.filter((event) => event.type === type).length >= count);
    const ask = (text: string) => {
      client.send({
        type: 'conversation.item.create',
        item: {type: 'message', role: 'user', content: [{type: 'input_text', text}]},
      });
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
    const call = got.find(
      (event) => event.type === 'response.output_item.done' && event.item.type === 'function_call',
    )!.item;
    client.send({
      type: 'conversation.item.create',
      item: {type: 'function_call_output', call_id: call.call_id, output: '{"celsius":4}'},
    });
    client.send({type: 'response.create'});
    await seen('response.done', 4);
    ask('hold');
    await seen('response.output_text.delta', 12);
    client.send({type: 'response.create', event_id: 'too_soon'});
    await eventually('the refusal', () => errors.length);
    client.send({type: 'response.cancel'});
    await seen('response.done', 5);
    await seen('rate_limits.updated', 5);
    client.close();

    assert.deepEqual(errors, ['conversation_already_has_active_response']);
    assert.equal(
      got
        .filter((event) => event.type === 'response.output_audio.delta')
        .map((event) => event.delta)
        .join('').length,
      10 * 3200,
    );
    const spans = await calls(at, [
      ['realtime_inference', 'ok', 4],
      ['realtime_inference', 'ok', 15],
      ['realtime_inference', 'ok', 3],
      ['execute_tool get_weather', 'ok', 0],
      ['realtime_inference', 'ok', 4],
      ['realtime_inference', 'cancelled', 4],
      ['realtime_inference', 'error', 0],
    ]);
    const counted = await quiet(at.one);
    for (const kind of ['input', 'output'] as const) {
      const spent = answers.reduce((sum, answer) => sum + answer[kind], 0);
      assert.equal(
        spans.reduce((sum, span) => sum + Number(span.attributes[`gen_ai.usage.${kind}_tokens`] ?? 0), 0),
        spent,
      );
      assert.equal(counted.sum('gen_ai_client_token_usage_sum', {gen_ai_token_type: kind}), spent);
    }
    assert.equal(spans[1]!.attributes['websocket.lane.audio.chunk.count'], 10);
    assert.equal(spans[1]!.attributes['websocket.lane.transcript.chunk.count'], 5);
    assert.equal(spans[3]!.parentSpanId, spans[2]!.spanId, 'the tool is run for the answer that asked for it');
    assert.equal(spans[6]!.attributes['error.type'], 'conversation_already_has_active_response');
    for (const span of spans.filter((each) => each.name === 'realtime_inference'))
      assert.equal(span.attributes['gen_ai.request.model'], 'gpt-realtime');
  });

  it('graphql-ws: a query, a subscription, one that is given up, and both kinds of error', async () => {
    const schema = buildSchema(
      'type Query { greeting: String!, broken: String! } ' +
        'type Subscription { countdown(from: Int!): Int!, forever: Int! }',
    );
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
          next: () =>
            ++given <= 3 ? Promise.resolve({done: false, value: {forever: given}}) : new Promise(() => undefined),
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
    const client = createClient({
      url: `${at.url}/graphql`,
      webSocketImpl: WebSocket,
      lazy: false,
      retryAttempts: 0,
      keepAlive: 50,
      onNonLazyError: () => undefined,
    });
    cleanup(() => client.dispose());
    const run = (query: string, operationName?: string) =>
      withDeadline(
        10_000,
        query,
        () =>
          new Promise<{results: any[]; failure?: any}>((resolve) => {
            const results: any[] = [];
            client.subscribe(
              {query, operationName},
              {
                next: (result) => results.push(result),
                error: (failure) => resolve({results, failure}),
                complete: () => resolve({results}),
              },
            );
          }),
      );
    assert.deepEqual((await run('query Greet { greeting }', 'Greet')).results, [{data: {greeting: 'hello'}}]);
    await readAs(at, 'graphql-transport-ws');
    assert.deepEqual(
      (await run('subscription { countdown(from: 5) }')).results.map((each) => each.data.countdown),
      [5, 4, 3, 2, 1],
    );
    assert.match((await run('{ nothing }')).failure[0].message, /nothing/);
    assert.match((await run('query Break { broken }', 'Break')).results[0].errors[0].message, /out of order/);
    const given: number[] = [];
    const stop = client.subscribe<{forever: number}>(
      {query: 'subscription Endless { forever }', operationName: 'Endless'},
      {next: (each) => given.push(each.data!.forever), error: () => undefined, complete: () => undefined},
    );
    await eventually('three results', () => given.length === 3);
    stop();
    await eventually('the server has stopped', () => stopped);
    await eventually('a heartbeat is answered', async () => {
      const {body} = await at.one.get('/metrics');
      return /^websocket_application_heartbeats_total\{[^}]*s2c[^}]*\} [1-9]/m.test(body);
    });
    await client.dispose();
    const spans = await calls(at, [
      ['connection_init', 'ok', 0],
      ['Greet', 'ok', 1],
      ['subscription', 'ok', 5],
      ['query', 'error', 0],
      ['Break', 'error', 1],
      ['Endless', 'cancelled', 3],
    ]);
    assert.deepEqual(
      spans.map((span) => span.attributes['graphql.operation.type']),
      [undefined, 'query', 'subscription', undefined, 'query', 'subscription'],
    );
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
    let told = 0,
      slow = 0;
    server.on('connection', (socket) => {
      const peer = over(socket);
      peer.onRequest('initialize', async () => ({
        capabilities: {},
        asked: await peer.sendRequest('workspace/configuration', {items: [{section: 'x'}]}),
      }));
      peer.onRequest('workspace/symbol', async ({partialResultToken}: {partialResultToken: string}) => {
        for (const name of ['a', 'b', 'c']) await peer.sendProgress(rows, partialResultToken, [name]);
        return [];
      });
      peer.onRequest(
        'slow',
        (_: unknown, token: rpc.CancellationToken) =>
          new Promise((resolve) => {
            ++slow;
            token.onCancellationRequested(() => resolve(new rpc.ResponseError(-32800, 'cancelled')));
          }),
      );
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
      ['initialize', 'ok', 0],
      ['workspace/configuration', 'ok', 0],
      ['workspace/symbol', 'ok', 3],
      ['no/such', 'error', 0],
      ['slow', 'cancelled', 0],
    ]);
    assert.deepEqual(
      spans.map((span) => span.attributes['websocket.invocation.opened_by']),
      ['c2s', 's2c', 'c2s', 'c2s', 'c2s'],
    );
    assert.deepEqual(
      spans.slice(0, 2).map((span) => String(span.attributes['jsonrpc.request.id'])),
      ['0', '0'],
      'one id, two calls',
    );
    assert.equal(spans[3]!.attributes['error.type'], '-32601');
  });

  it('socket.io: polling, then a WebSocket, acknowledgements both ways, attachments, a refused namespace', async () => {
    const http = createServer();
    const io = new SocketServer(http, {pingInterval: 200, pingTimeout: 5000});
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    cleanup(() => io.close());
    io.on('connection', (peer) => {
      peer.on('sum', (a: number, b: number, answer: (sum: number) => void) => answer(a + b));
      peer.on('reverse', (bytes: Buffer, answer: (bytes: Buffer) => void) => answer(Buffer.from(bytes).reverse()));
      peer.on('ask me', async (answer: (name: string) => void) =>
        answer(`you are ${await peer.timeout(10_000).emitWithAck('who')}`),
      );
      peer.on('tell', (text: string) => peer.emit('told', text));
    });
    io.of('/closed').use((_, next) => next(new Error('no entry')));
    const at = await stage((http.address() as {port: number}).port);
    // Polling first, as it does by default.
    const manager = new Manager(`http://127.0.0.1:${at.one.port}`, {reconnection: false});
    const client = manager.socket('/');
    cleanup(() => client.disconnect());
    await eventually('the change to WebSocket', () => manager.engine?.transport?.name === 'websocket');
    await readAs(at, 'socket.io');
    await withDeadline(10_000, 'answers', async () => {
      client.on('who', (answer: (name: string) => void) => answer('client'));
      const told = new Promise((resolve) => client.once('told', resolve));
      client.emit('tell', 'x');
      assert.equal(await told, 'x');
      assert.equal(await client.emitWithAck('sum', 2, 3), 5);
      assert.deepEqual(
        Buffer.from(await client.emitWithAck('reverse', Buffer.from([1, 2, 3]))),
        Buffer.from([3, 2, 1]),
      );
      assert.equal(await client.emitWithAck('ask me'), 'you are client');
      const refused = new Promise<Error>((resolve) => manager.socket('/closed').once('connect_error', resolve));
      assert.equal((await refused).message, 'no entry');
    });
    await eventually(
      'a heartbeat',
      async () => (await metrics(at.one)).sum('websocket_application_heartbeats_total', {direction: 'c2s'}) > 1,
    );
    client.disconnect();
    (manager as unknown as {_close(): void})._close();
    // The connection to "/" was made while it still polled.
    const spans = await calls(at, [
      ['sum', 'ok', 0],
      ['reverse', 'ok', 0],
      ['ask me', 'ok', 0],
      ['who', 'ok', 0],
      ['connect', 'error', 0],
    ]);
    assert.equal(spans[3]!.attributes['websocket.invocation.opened_by'], 's2c');
    assert.equal(spans[4]!.attributes['socketio.namespace'], '/closed');
  });

  // The server is ours: as much of STOMP 1.2 as its client uses.
  it('@stomp/stompjs: subscriptions, receipts, a transaction, an error', async () => {
    const server = await backend({echo: false, protocols: ['v12.stomp']});
    const frame = (command: string, headers: Record<string, string>, body = '') =>
      `${command}\n${Object.entries(headers)
        .map(([key, value]) => `${key}:${value}\n`)
        .join('')}\n${body}\0`;
    server.accepted = (socket) => {
      const subscribed = new Map<string, string>(); // destination → id
      const held: (() => void)[] = [];
      let messages = 0;
      socket.on('message', (data) => {
        const text = String(data);
        if (text === '\n') return void socket.send('\n');
        const [head, body] = text.replace(/\0\n*$/, '').split(/\n\n([\s\S]*)/) as [string, string];
        const [command, ...lines] = head.split('\n');
        const headers = Object.fromEntries(
          lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
        ) as Record<string, string>;
        const publish = () => {
          const id = subscribed.get(headers.destination!);
          if (id)
            socket.send(
              frame(
                'MESSAGE',
                {subscription: id, 'message-id': `m${++messages}`, destination: headers.destination!},
                body,
              ),
            );
        };
        if (command === 'CONNECT')
          socket.send(frame('CONNECTED', {version: '1.2', 'heart-beat': '0,0', server: 'ours/1'}));
        if (command === 'SUBSCRIBE') subscribed.set(headers.destination!, headers.id!);
        if (command === 'SEND' && headers.destination === '/forbidden')
          return void socket.send(frame('ERROR', {'receipt-id': headers.receipt!, message: 'access denied'}));
        if (command === 'SEND') headers.transaction ? held.push(publish) : publish();
        if (command === 'COMMIT') for (const work of held.splice(0)) work();
        if (headers.receipt) socket.send(frame('RECEIPT', {'receipt-id': headers.receipt}));
      });
    };
    const at = await stage(server.port);
    const errors: string[] = [],
      got: string[] = [];
    const client = new Stomp({
      webSocketFactory: () => new WebSocket(at.url, ['v12.stomp']),
      reconnectDelay: 0,
      heartbeatIncoming: 0,
      heartbeatOutgoing: 0,
      onStompError: (each) => errors.push(each.headers.message!),
    });
    cleanup(() => client.deactivate({force: true}));
    const receipt = (name: string) =>
      withDeadline(
        10_000,
        `receipt ${name}`,
        () => new Promise<void>((resolve) => client.watchForReceipt(name, () => resolve())),
      );
    client.activate();
    await eventually('CONNECTED', () => client.connected);
    await readAs(at, 'stomp');
    const here = receipt('r-sub');
    const subscription = client.subscribe('/topic/news', (message) => got.push(message.body), {
      id: 'news',
      receipt: 'r-sub',
    });
    await here;
    const sent = receipt('r-1');
    client.publish({destination: '/topic/news', body: 'one', headers: {receipt: 'r-1'}});
    await sent;
    client.publish({destination: '/topic/news', body: 'two'});
    const transaction = client.begin('tx');
    client.publish({destination: '/topic/news', body: 'three', headers: {transaction: transaction.id}});
    transaction.commit();
    await eventually('three messages', () => got.length === 3);
    subscription.unsubscribe();
    client.publish({destination: '/forbidden', body: '', headers: {receipt: 'r-2'}});
    await eventually('the error', () => errors.length);
    for (const socket of server.sockets) socket.close(1000);
    assert.deepEqual(got, ['one', 'two', 'three']);
    await calls(at, [
      ['CONNECT', 'ok', 0],
      ['SUBSCRIBE', 'ok', 3],
      ['SEND', 'ok', 0],
      ['transaction', 'ok', 0],
      ['SEND', 'error', 0],
    ]);
  });

  it('mqtt and aedes: subscribe, publish at every quality both ways, ping', async () => {
    const broker = new Aedes();
    const server = new WebSocketServer({port: 0, host: '127.0.0.1', handleProtocols: () => 'mqtt'});
    cleanup(() => {
      server.close();
      broker.close();
    });
    await eventually('the server listens', () => server.address());
    server.on('connection', (socket) => void broker.handle(createWebSocketStream(socket) as never));
    const at = await stage((server.address() as {port: number}).port);
    const client = await withDeadline(10_000, 'CONNACK', () =>
      mqtt.connectAsync(at.url, {protocolVersion: 4, reconnectPeriod: 0}),
    );
    cleanup(() => client.end(true));
    await readAs(at, 'mqtt');
    const got: string[] = [];
    client.on('message', (_, payload) => got.push(String(payload)));
    await withDeadline(10_000, 'acknowledgements', async () => {
      await client.subscribeAsync('news/#', {qos: 2});
      for (const qos of [0, 1, 2] as const) {
        await client.publishAsync('news/a', `quality ${qos}`, {qos});
        await eventually('it comes back', () => got.length === qos + 1);
      }
      await client.unsubscribeAsync('news/#');
    });
    client.sendPing();
    await eventually(
      'a ping is answered',
      async () => (await metrics(at.one)).sum('websocket_application_heartbeats_total', {direction: 's2c'}) > 0,
    );
    await client.endAsync();
    assert.deepEqual(got, ['quality 0', 'quality 1', 'quality 2']);
    const spans = await calls(
      at,
      [
        ['CONNECT', 'ok', 0],
        ['SUBSCRIBE', 'ok', 0],
        ...Array.from({length: 4}, (): Call => ['PUBLISH', 'ok', 0]),
        ['UNSUBSCRIBE', 'ok', 0],
      ],
      {},
      ['half_close'],
    ); // at DISCONNECT the broker may end TCP ahead of any Close
    assert.deepEqual(
      spans
        .slice(2, 6)
        .map((span) => `${span.attributes['websocket.invocation.opened_by']} ${span.attributes['mqtt.qos']}`)
        .sort(),
      ['c2s 1', 'c2s 2', 's2c 1', 's2c 2'],
    );
  });

  it('Chromium: DevTools commands to the browser and to a page', async () => {
    const folder = temporaryFolder();
    const browser = child('chromium', executable, [
      '--headless',
      ...flags,
      '--remote-debugging-port=0',
      `--user-data-dir=${folder}`,
      'about:blank',
    ]);
    const [port, path] = (await eventually(
      'its port',
      () => /^DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)(\S+)/m.exec(browser.err)?.slice(1),
      40_000,
    )) as [string, string];
    const at = await stage(Number(port));
    const socket = await connected(at.url + path);
    let ids = 0;
    const waiting = new Map<number, (answer: any) => void>();
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      waiting.get(message.id)?.(message);
    });
    const ask = (method: string, params = {}, sessionId?: string) =>
      withDeadline(
        20_000,
        method,
        () =>
          new Promise<any>((resolve) => {
            waiting.set(++ids, resolve);
            socket.send(JSON.stringify({id: ids, method, params, ...(sessionId ? {sessionId} : {})}));
          }),
      );
    assert.match((await ask('Browser.getVersion')).result.product, /Chrome/);
    await readAs(at, 'cdp');
    const {targetId} = (await ask('Target.createTarget', {url: 'about:blank'})).result;
    const {sessionId} = (await ask('Target.attachToTarget', {targetId, flatten: true})).result;
    await ask('Page.enable', {}, sessionId);
    await ask('Page.navigate', {url: 'data:text/html,<title>t</title>'}, sessionId);
    assert.equal((await ask('Runtime.evaluate', {expression: '6 * 7'}, sessionId)).result.result.value, 42);
    assert.ok((await ask('Runtime.evaluate', {expression: 'throw new Error("x")'}, sessionId)).result.exceptionDetails);
    assert.equal((await ask('No.such', {}, sessionId)).error.code, -32601);
    await shut(socket);
    const spans = await calls(at, [
      ['Browser.getVersion', 'ok', 0],
      ['Target.createTarget', 'ok', 0],
      ['Target.attachToTarget', 'ok', 0],
      ['Page.enable', 'ok', 0],
      ['Page.navigate', 'ok', 0],
      ['Runtime.evaluate', 'ok', 0],
      ['Runtime.evaluate', 'error', 0],
      ['No.such', 'error', 0],
    ]);
    assert.deepEqual(
      spans.map((span) => span.attributes['cdp.session.id']),
      [undefined, undefined, undefined, ...Array(5).fill(sessionId)],
    );
  });
});

// What a span says lies within what its client saw: the way to the proxy and back is all that may be between them.
it('the latency of 200 streamed replies is what the client measured', async () => {
  const server = await backend({echo: false, protocols: ['graphql-transport-ws']});
  server.accepted = (socket) =>
    socket.on('message', (data) => {
      const {id} = JSON.parse(String(data));
      let left = 3;
      const next = () => {
        socket.send(JSON.stringify({id, type: 'next', payload: {data: {left}}}));
        if (--left) setTimeout(next, 2);
        else socket.send(JSON.stringify({id, type: 'complete'}));
      };
      setTimeout(next, 4);
    });
  const at = await stage(server.port);
  const socket = await connected(at.url, {}, ['graphql-transport-ws']);
  let seen: number[] = [];
  let complete: () => void = () => undefined;
  socket.on('message', (data) => {
    if (JSON.parse(String(data)).type === 'next') seen.push(performance.now());
    else complete();
  });
  const measured: {first: number; last: number}[] = [];
  await withDeadline(60_000, 'replies', async () => {
    for (let i = 0; i < 200; ++i) {
      seen = [];
      const done = new Promise<void>((resolve) => (complete = resolve));
      const begun = performance.now();
      socket.send(
        JSON.stringify({
          id: String(i),
          type: 'subscribe',
          payload: {query: 'subscription Timed { left }', operationName: 'Timed'},
        }),
      );
      await done;
      measured.push({first: seen[0]! - begun, last: seen.at(-1)! - begun});
    }
  });
  await shut(socket);
  const spans = await calls(
    at,
    Array.from({length: 200}, (): Call => ['Timed', 'ok', 3]),
  );
  for (const which of ['first', 'last'] as const) {
    const over = spans
      .map((span, i) => measured[i]![which] - 1e3 * Number(span.attributes[`websocket.time_to_${which}_chunk`]))
      .sort((a, b) => a - b);
    assert.ok(over[0]! > -1, `no span says more than its client saw (${which}): ${over[0]} ms`);
    assert.ok(over[100]! < 5, `${which} chunk: the median client saw ${over[100]} ms more than the span says`);
  }
});
