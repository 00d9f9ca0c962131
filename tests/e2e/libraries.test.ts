// More applications of real libraries through the proxy, as in dialects.test.ts: MCP, SignalR, and MQTT with Mosquitto.
import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {HttpTransportType, HubConnectionBuilder, LogLevel, Subject} from '@microsoft/signalr';
import {Client} from '@modelcontextprotocol/sdk/client/index.js';
import {WebSocketClientTransport} from '@modelcontextprotocol/sdk/client/websocket.js';
import {Server} from '@modelcontextprotocol/sdk/server/index.js';
import type {Transport} from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolRequestSchema,
  CreateMessageRequestSchema,
  ErrorCode,
  type JSONRPCMessage,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import mqtt from 'mqtt';
import {WebSocket} from 'ws';
import type {Span} from '../lib/collector.js';
import {freePorts, temporaryFolder} from '../lib/process.js';
import {eventually, withDeadline} from '../lib/wait.js';
import {type Call, calls, readAs, stage} from './calls.js';
import {backend, child, cleanup, metrics} from './support.js';

const traceparent = (span: Span): string => `00-${span.traceId}-${span.spanId}-01`;

describe('calls of', {concurrency: 4}, () => {
  // MCP's own client brings its transport over WebSocket; the server's is its other half.
  class SocketTransport implements Transport {
    onclose?: () => void;
    onmessage?: (message: JSONRPCMessage) => void;
    constructor(private readonly socket: WebSocket) {}
    async start(): Promise<void> {
      this.socket.on('message', (data) => this.onmessage?.(JSON.parse(String(data))));
      this.socket.on('close', () => this.onclose?.());
    }
    async send(message: JSONRPCMessage): Promise<void> {
      this.socket.send(JSON.stringify(message));
    }
    async close(): Promise<void> {
      this.socket.close();
    }
  }

  for (const insert of ['none', 'both'])
    it(`@modelcontextprotocol/sdk: tools, progress, sampling, errors, a cancellation; context: ${insert}`, async () => {
      const server = await backend({echo: false, protocols: ['mcp']});
      const told: unknown[] = []; // the context that came with each call
      let progress = 0,
        slow = 0,
        stopped = 0;
      server.accepted = (socket) => {
        const mcp = new Server({name: 'ours', version: '1'}, {capabilities: {tools: {}, resources: {}}});
        mcp.setRequestHandler(ListToolsRequestSchema, () => ({
          tools: [{name: 'add', inputSchema: {type: 'object' as const}}],
        }));
        mcp.setRequestHandler(ReadResourceRequestSchema, ({params}) => ({contents: [{uri: params.uri, text: 'x'}]}));
        mcp.setRequestHandler(CallToolRequestSchema, async ({params}, extra) => {
          told.push(params._meta?.traceparent);
          const text = (said: string, isError = false) => ({content: [{type: 'text' as const, text: said}], isError});
          if (params.name === 'add') return text('5');
          if (params.name === 'broken') return text('out of order', true);
          if (params.name === 'count') {
            for (let done = 1; done <= 3; ++done)
              await extra.sendNotification({
                method: 'notifications/progress',
                params: {progressToken: params._meta!.progressToken!, progress: done},
              });
            // It forgets what comes at once with the result.
            await eventually('the client knows of it', () => progress === 3);
            return text('3');
          }
          if (params.name === 'think') {
            const {content} = await mcp.createMessage({
              messages: [{role: 'user', content: {type: 'text', text: 'name?'}}],
              maxTokens: 10,
            });
            return text(String(content.text));
          }
          if (params.name === 'slow') {
            ++slow;
            await new Promise<void>((resolve) => extra.signal.addEventListener('abort', () => resolve()));
            ++stopped;
          }
          throw new McpError(ErrorCode.InvalidParams, `no tool ${params.name}`);
        });
        void mcp.connect(new SocketTransport(socket));
      };
      const at = await stage(server.port, {trace: {insert}});
      // The client is written for browsers and later versions of Node.
      (globalThis as {WebSocket?: unknown}).WebSocket ??= WebSocket;
      const client = new Client({name: 'theirs', version: '1'}, {capabilities: {sampling: {}}});
      client.setRequestHandler(CreateMessageRequestSchema, ({params}) => {
        told.push(params._meta?.traceparent);
        return {model: 'm', role: 'assistant', content: {type: 'text', text: 'client'}};
      });
      cleanup(() => client.close());
      const text = (result: unknown) => (result as {content: {text: string}[]}).content[0]!.text;
      await withDeadline(20_000, 'answers', async () => {
        await client.connect(new WebSocketClientTransport(new URL(at.url)));
        await readAs(at, 'jsonrpc');
        assert.equal((await client.listTools()).tools.length, 1);
        assert.equal(text(await client.callTool({name: 'add', arguments: {a: 2, b: 3}})), '5');
        assert.equal(text(await client.callTool({name: 'count'}, undefined, {onprogress: () => void ++progress})), '3');
        assert.equal(text(await client.callTool({name: 'think'})), 'client');
        assert.equal((await client.callTool({name: 'broken'})).isError, true);
        await assert.rejects(client.callTool({name: 'nothing'}), {code: ErrorCode.InvalidParams});
        assert.equal((await client.readResource({uri: 'test://a'})).contents.length, 1);
        await client.ping();
        const stop = new AbortController();
        const cancelled = assert.rejects(client.callTool({name: 'slow'}, undefined, {signal: stop.signal}));
        await eventually('the slow tool runs', () => slow);
        stop.abort();
        await cancelled;
        await eventually('the slow tool stops', () => stopped);
      });
      // Nobody answers what was cancelled.
      await eventually(
        'that call is given up',
        async () => (await metrics(at.one)).sum('websocket_invocations_active') === 0,
        20_000,
        100,
      );
      await client.close();
      const spans = await calls(at, [
        ['initialize', 'ok', 0],
        ['tools/list', 'ok', 0],
        ['tools/call', 'ok', 0],
        ['tools/call', 'ok', 3],
        ['tools/call', 'ok', 0],
        ['sampling/createMessage', 'ok', 0],
        ['tools/call', 'error', 0],
        ['tools/call', 'error', 0],
        ['resources/read', 'ok', 0],
        ['ping', 'ok', 0],
        ['tools/call', 'cancelled', 0],
      ]);
      assert.deepEqual(
        spans.map((span) => span.attributes['gen_ai.tool.name']),
        [undefined, undefined, 'add', 'count', 'think', undefined, 'broken', 'nothing', undefined, undefined, 'slow'],
      );
      assert.deepEqual(
        spans.map((span) => span.attributes['error.type']),
        [...Array(6).fill(undefined), 'tool_error', String(ErrorCode.InvalidParams), undefined, undefined, undefined],
      );
      assert.deepEqual(
        spans.flatMap((span, i) => (span.attributes['websocket.invocation.opened_by'] === 's2c' ? [i] : [])),
        [5],
      );
      const handled = spans.filter((span) => ['tools/call', 'sampling/createMessage'].includes(span.name));
      assert.deepEqual(
        told,
        handled.map((span) => (insert === 'both' ? traceparent(span) : undefined)),
        'what handles a call is told its span',
      );
    });

  // The server is ours: as much of the hub protocol as its client uses.
  it('@microsoft/signalr: invocations and streams both ways under the same ids, one cancelled, an error', async () => {
    const server = await backend({echo: false});
    const answers: unknown[] = [];
    let notes = 0,
      stopped = 0;
    server.accepted = (socket) => {
      const send = (record: object) => socket.send(`${JSON.stringify(record)}\x1e`);
      const endless = new Map<string, NodeJS.Timeout>();
      const sums = new Map<string, {invocationId: string; sum: number}>(); // by the upload's id
      const hear = (record: any) => {
        const {invocationId, target} = record;
        const complete = (more: object) => send({type: 3, invocationId, ...more});
        if (record.protocol) return send({});
        if (record.type === 2) sums.get(invocationId)!.sum += record.item;
        if (record.type === 3 && sums.has(invocationId)) {
          const {invocationId: id, sum} = sums.get(invocationId)!;
          sums.delete(invocationId);
          return send({type: 3, invocationId: id, result: sum});
        }
        if (record.type === 3) answers.push(record.result);
        if (record.type === 5) {
          clearInterval(endless.get(invocationId));
          ++stopped;
          return complete({});
        }
        if (record.type === 6) send({type: 6});
        if (target === 'Add') complete({result: record.arguments[0] + record.arguments[1]});
        if (target === 'Fail') complete({error: 'out of order'});
        if (target === 'Note') ++notes;
        if (target === 'AskMe') {
          send({type: 1, invocationId: '0', target: 'Who', arguments: []});
          complete({result: null});
        }
        if (target === 'Sum') sums.set(record.streamIds[0], {invocationId, sum: 0});
        if (target === 'Count') {
          for (let item = 0; item < record.arguments[0]; ++item) send({type: 2, invocationId, item});
          complete({});
        }
        if (target === 'Endless') {
          let item = 0;
          endless.set(
            invocationId,
            setInterval(() => item < 4 && send({type: 2, invocationId, item: ++item}), 1),
          );
        }
      };
      socket.on('message', (data) =>
        String(data)
          .split('\x1e')
          .slice(0, -1)
          .forEach((record) => hear(JSON.parse(record))),
      );
      socket.on('close', () => endless.forEach(clearInterval));
    };
    const at = await stage(server.port);
    const hub = new HubConnectionBuilder()
      .withUrl(`http://127.0.0.1:${at.one.port}/hub`, {skipNegotiation: true, transport: HttpTransportType.WebSockets})
      .configureLogging(LogLevel.None)
      .build();
    cleanup(() => hub.stop());
    hub.keepAliveIntervalInMilliseconds = 100;
    hub.on('Who', () => 'client');
    await withDeadline(20_000, 'answers', async () => {
      await hub.start();
      await readAs(at, 'signalr-json');
      assert.equal(await hub.invoke('Add', 2, 3), 5);
      await hub.send('Note', 'x');
      await assert.rejects(hub.invoke('Fail'), /out of order/);
      await hub.invoke('AskMe');
      await eventually("the client's answer", () => answers.length);
      const items: number[] = [];
      await new Promise<void>(
        (resolve, reject) =>
          void hub
            .stream<number>('Count', 3)
            .subscribe({next: (item) => items.push(item), error: reject, complete: resolve}),
      );
      assert.deepEqual(items, [0, 1, 2]);
      const numbers = new Subject<number>();
      const sum = hub.invoke('Sum', numbers);
      for (const each of [1, 2, 3]) numbers.next(each);
      numbers.complete();
      assert.equal(await sum, 6);
      let got = 0;
      const endless = hub
        .stream<number>('Endless')
        .subscribe({next: () => void ++got, error: () => undefined, complete: () => undefined});
      await eventually('four items', () => got === 4);
      endless.dispose();
      await eventually('the stream is stopped', () => stopped);
      await eventually('a ping each way', async () => {
        const counted = await metrics(at.one);
        return ['c2s', 's2c'].every(
          (direction) => counted.sum('websocket_application_heartbeats_total', {direction}) > 0,
        );
      });
    });
    await hub.stop();
    assert.deepEqual([answers, notes], [['client'], 1]);
    const spans = await calls(at, [
      ['handshake', 'ok', 0],
      ['Add', 'ok', 0],
      ['Fail', 'error', 0],
      ['AskMe', 'ok', 0],
      ['Who', 'ok', 0],
      ['Count', 'ok', 3],
      ['Sum', 'ok', 0],
      ['Endless', 'cancelled', 4],
    ]);
    assert.deepEqual(
      spans.map((span) => span.attributes['websocket.invocation.opened_by']),
      ['c2s', 'c2s', 'c2s', 'c2s', 's2c', 'c2s', 'c2s', 'c2s'],
    );
    assert.deepEqual(
      spans.map((span) => span.attributes['signalr.kind']),
      [undefined, 'invocation', 'invocation', 'invocation', 'invocation', 'stream', 'invocation', 'stream'],
    );
    assert.equal(spans[2]!.attributes['error.type'], 'hub_error');
  });

  for (const [protocolVersion, version] of [
    [4, '3.1.1'],
    [5, '5'],
  ] as const)
    it(`mqtt ${version} and Mosquitto: every quality both ways, refusals, and what 5 adds`, async () => {
      const folder = temporaryFolder();
      const [port] = await freePorts(1);
      writeFileSync(join(folder, 'users'), '');
      writeFileSync(join(folder, 'access'), 'topic readwrite news/#\ntopic readwrite rpc/#\n');
      // It does not start without a listener that is no WebSocket's.
      writeFileSync(
        join(folder, 'conf'),
        `user root\nlistener ${port} 127.0.0.1\nprotocol websockets\nlistener 0 ${folder}/socket\n` +
          `allow_anonymous true\npassword_file ${folder}/users\nacl_file ${folder}/access\n` +
          `persistence false\nlog_dest stderr\n`,
      );
      const broker = child('mosquitto', '/usr/sbin/mosquitto', ['-c', join(folder, 'conf')]);
      await eventually('the broker runs', () => /version \S+ running/.test(broker.err), 10_000).catch(() =>
        assert.fail(broker.err),
      );
      const at = await stage(port!);
      const connect = async (more: mqtt.IClientOptions = {}) => {
        const client = await withDeadline(10_000, 'CONNACK', () =>
          mqtt.connectAsync(at.url, {protocolVersion, reconnectPeriod: 0, ...more}),
        );
        cleanup(() => client.end(true));
        return client;
      };
      const client = await connect();
      await readAs(at, 'mqtt');
      const got: string[] = [];
      client.on('message', (topic, payload) => topic.startsWith('news/') && got.push(String(payload)));
      const expected: Call[] = [
        ['CONNECT', 'ok', 0],
        ['SUBSCRIBE', 'ok', 0],
        ...Array.from({length: 4}, (): Call => ['PUBLISH', 'ok', 0]),
        ['UNSUBSCRIBE', 'ok', 0],
      ];
      await withDeadline(30_000, 'acknowledgements', async () => {
        await client.subscribeAsync('news/#', {qos: 2});
        for (const qos of [0, 1, 2] as const) {
          await client.publishAsync('news/a', `quality ${qos}`, {qos});
          await eventually('it comes back', () => got.length === qos + 1);
        }
        await client.unsubscribeAsync('news/#');
        if (protocolVersion === 4) return;
        await client.publishAsync('news/nobody', 'x', {
          qos: 1,
          properties: {userProperties: {traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'}},
        });
        for (const qos of [1, 2] as const)
          await assert.rejects(client.publishAsync('forbidden', 'x', {qos}), {code: 135});
        expected.push(['PUBLISH', 'ok', 0], ['PUBLISH', 'error', 0], ['PUBLISH', 'error', 0]);
        // The same messages are a request and its response on the way to the broker, and from it.
        const other = await connect();
        other.on('message', (_topic, payload, {properties}) =>
          other.publish(properties!.responseTopic!, `${payload}!`, {
            properties: {correlationData: properties!.correlationData!},
          }),
        );
        await other.subscribeAsync('rpc/quote');
        await client.subscribeAsync('rpc/answers');
        const answer = new Promise<string>((resolve) =>
          client.on('message', (topic, payload) => topic === 'rpc/answers' && resolve(String(payload))),
        );
        await client.publishAsync('rpc/quote', 'hello', {
          properties: {responseTopic: 'rpc/answers', correlationData: Buffer.from([0, 1, 255])},
        });
        assert.equal(await answer, 'hello!');
        await other.endAsync();
        expected.push(
          ['SUBSCRIBE', 'ok', 0],
          ['request', 'ok', 0],
          ['CONNECT', 'ok', 0],
          ['SUBSCRIBE', 'ok', 0],
          ['request', 'ok', 0],
        );
      });
      client.sendPing();
      await eventually(
        'a ping is answered',
        async () => (await metrics(at.one)).sum('websocket_application_heartbeats_total', {direction: 's2c'}) > 0,
      );
      await client.endAsync();
      await assert.rejects(connect({username: 'nobody', password: 'x'}));
      expected.push(['CONNECT', 'error', 0]);
      assert.deepEqual(got, ['quality 0', 'quality 1', 'quality 2']);
      const spans = await calls(at, expected, {}, ['half_close']); // Mosquitto ends its connection without a Close
      assert.deepEqual(
        spans
          .slice(2, 6)
          .map((span) => `${span.attributes['websocket.invocation.opened_by']} ${span.attributes['mqtt.qos']}`)
          .sort(),
        ['c2s 1', 'c2s 2', 's2c 1', 's2c 2'],
      );
      for (const span of at.to.spans.filter((each) => each.name === 'websocket.connection'))
        assert.equal(span.attributes['mqtt.version'], version);
      assert.equal(spans.at(-1)!.attributes['error.type'], 'not_authorized');
      if (protocolVersion === 4) return;
      assert.deepEqual(
        [spans[7]!.traceId, spans[7]!.parentSpanId],
        ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'],
      );
      for (const span of spans.slice(8, 10)) assert.equal(span.attributes['error.type'], 'not_authorized');
      assert.deepEqual(
        spans
          .filter((span) => span.name === 'request')
          .map((span) => span.attributes['websocket.invocation.opened_by']),
        ['c2s', 's2c'],
      );
    });
});
