// The bulk as Jaeger's API tells it, of version 1 and 3.
import assert from 'node:assert/strict';
import {it} from 'node:test';
import {type Bulk, by, type Span, within} from './bulk.js';
import type {Json} from './console.js';
import {traceIds} from './truth_traces.js';

const shelves = ['shelf-0', 'shelf-2'];

export function jaegerTells(bulk: Bulk): void {
  const known = (): string[] => [...new Set(bulk.spans.map((span) => span.service))].sort();
  const range = (): string => `start=${bulk.ranges.middle.from * 1000}&end=${bulk.ranges.middle.to * 1000}`;
  // Of all pages.
  const traces = async (query: string, limit: number): Promise<Json[]> => {
    const found: Json[] = [];
    for (let cursor = '', page = 0; page === 0 || cursor; ++page) {
      const answer = await bulk.console.ask(`/api/traces?${range()}&limit=${limit}&${query}&cursor=${cursor}`);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.errors, null);
      assert.equal(answer.json.total, answer.json.data.length);
      found.push(...answer.json.data);
      ({cursor} = answer.json);
    }
    return found;
  };
  const tags = (of: object): string => `tags=${encodeURIComponent(JSON.stringify(of))}`;

  it('tells Jaeger the services, and the operations of each', async () => {
    assert.deepEqual(known(), [...shelves, ...[0, 1, 2, 3, 4].map((i) => `shop-${i}`)]);
    assert.deepEqual(await bulk.console.jaeger('/services'), known());
    for (const [service, spans] of by(bulk.spans, (span) => span.service)) {
      const names = [...new Set(spans.map((span) => span.operation))].sort();
      assert.deepEqual(await bulk.console.jaeger(`/services/${service}/operations`), names);
      assert.deepEqual(
        await bulk.console.jaeger(`/operations?service=${service}`),
        names.map((name) => ({name, spanKind: service.startsWith('shop') ? 'server' : 'client'})),
      );
    }
    assert.equal((await bulk.console.jaeger('/operations?spanKind=Server')).length, bulk.names);
    assert.equal((await bulk.console.jaeger('/operations?spanKind=consumer')).length, 0);
  });

  it('tells Jaeger which service calls which, in a range that ends in the middle', async () => {
    const {from, to} = bulk.ranges.middle;
    const shops = new Map(bulk.spans.map((span) => [span.id, span.service]));
    const called = by(
      within(bulk.spans, bulk.ranges.middle).filter((span) => span.parent),
      (span) => `${shops.get(span.parent)} ${span.service}`,
    );
    const told = (await bulk.console.jaeger(`/dependencies?endTs=${to}&lookback=${to - from}`)) as Json[];
    assert.deepEqual(
      Object.fromEntries(told.map((each) => [`${each.parent} ${each.child}`, each.callCount])),
      Object.fromEntries([...called].map(([key, spans]) => [key, spans.length])),
    );
    assert.equal(told.length, called.size);
  });

  const searches: Record<string, [query: string, limit: number, fits: (span: Span) => boolean]> = {
    'service and tags': [
      `service=shop-2&${tags({'sockeye.dialect': 'json-rpc', error: 'true'})}`,
      5,
      (span) =>
        span.service === 'shop-2' && span.attributes['sockeye.dialect'] === 'json-rpc' && span.status === 'error',
    ],
    'what is no error': [
      `service=shop-1&tag=error:false&${tags({'client.address': '192.0.2.7'})}`,
      13,
      (span) =>
        span.service === 'shop-1' && span.status !== 'error' && span.attributes['client.address'] === '192.0.2.7',
    ],
    durations: [
      'service=shop-0&minDuration=250ms&maxDuration=1.5s',
      1500,
      ({service, figures}) => service === 'shop-0' && figures.duration >= 25e7 && figures.duration <= 15e8,
    ],
    'kind and operation': [
      `service=shelf-2&operation=lookup&${tags({'span.kind': 'CLIENT'})}`,
      1500,
      (span) => span.service === 'shelf-2',
    ],
  };
  for (const [what, [query, limit, fits]] of Object.entries(searches))
    it(`finds traces for Jaeger by ${what}`, async () => {
      const wanted = traceIds(within(bulk.spans, bulk.ranges.middle).filter(fits));
      assert.ok(wanted.length > 1);
      const found = await traces(query, limit);
      assert.deepEqual(found.map((each) => each.traceID).sort(), wanted);
    });

  it('tells Jaeger a trace as it was sent, by its id in either case', async () => {
    for (const at of [0, 4321]) {
      const its = bulk.spans.filter((span) => span.trace === bulk.spans[at]!.trace);
      const [trace] = await bulk.console.jaeger(`/traces/${its[0]!.trace.toUpperCase()}`);
      assert.equal(trace.traceID, its[0]!.trace);
      assert.deepEqual(
        trace.spans.map((span: Json) => ({
          id: span.spanID,
          name: span.operationName,
          parent: span.references.map((each: Json) => [each.refType, each.spanID]),
          service: trace.processes[span.processID].serviceName,
          start: span.startTime,
          duration: span.duration,
        })),
        its.map((span) => ({
          id: span.id,
          name: span.operation,
          parent: span.parent ? [['CHILD_OF', span.parent]] : [],
          service: span.service,
          start: Number(span.start_ns / 1000n),
          duration: Math.floor(span.figures.duration / 1000),
        })),
      );
      for (const [i, span] of its.entries()) {
        const told = Object.fromEntries(trace.spans[i].tags.map((tag: Json) => [tag.key, tag.value]));
        for (const [key, value] of Object.entries(span.attributes)) assert.equal(told[key], value);
        assert.equal(told['span.kind'], span.kind);
        assert.equal(told.error, span.status === 'error' ? true : undefined);
        assert.equal(told['websocket.chunk.count'], span.figures.chunks);
        assert.equal(told['otel.scope.name'], 'bulk');
      }
    }
  });

  it('tells Jaeger 3 the same', async () => {
    const {from, to} = bulk.ranges.middle;
    const get = async (path: string): Promise<Json> => {
      const answer = await bulk.console.ask(`/api/v3${path}`);
      assert.equal(answer.status, 200, answer.text);
      return answer.json;
    };
    assert.deepEqual(await get('/services'), {services: known()});
    const names = [...new Set(bulk.spans.filter((span) => span.service === 'shop-3').map((span) => span.operation))];
    assert.deepEqual(
      (await get('/operations?service=shop-3&span_kind=server')).operations,
      names.sort().map((name) => ({name, spanKind: 'server'})),
    );
    const moment = (ms: number): string => encodeURIComponent(new Date(ms).toISOString());
    const query =
      `query.service_name=shop-2&query.start_time_min=${moment(from)}&query.start_time_max=${moment(to)}` +
      '&query.duration_min=100ms&query.search_depth=20' +
      `&query.attributes=${encodeURIComponent('{"tenant.id":"tenant-3"}')}`;
    const found: Json[] = [];
    for (let cursor = '', page = 0; page === 0 || cursor; ++page) {
      const answer = await get(`/traces?${query}&cursor=${cursor}`);
      assert.deepEqual([answer.left_out, answer.truncated, answer.complete], [[], [], true]);
      for (const each of answer.result.resourceSpans) found.push(...each.scopeSpans[0].spans);
      ({cursor} = answer);
    }
    const wanted = traceIds(
      within(bulk.spans, bulk.ranges.middle).filter(
        (span) =>
          span.service === 'shop-2' && span.attributes['tenant.id'] === 'tenant-3' && span.figures.duration >= 1e8,
      ),
    );
    assert.ok(wanted.length > 20);
    const whole = bulk.spans.filter((span) => wanted.includes(span.trace));
    const told = found.map(
      (span: Json) => `${span.traceId} ${span.spanId} ${span.startTimeUnixNano} ${span.endTimeUnixNano}`,
    );
    assert.deepEqual(
      told.sort(),
      whole
        .map((span) => `${span.trace} ${span.id} ${span.start_ns} ${span.start_ns + BigInt(span.figures.duration)}`)
        .sort(),
    );
  });
}
