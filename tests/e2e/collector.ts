// A collector of this process that keeps every span, and the configuration that exports to it.
import {once} from 'node:events';
import {type Answer, collectorServer, type Encoded, encoded, type Span} from '../lib/collector.js';
import {eventually} from '../lib/wait.js';
import {cleanup} from './support.js';

export interface Collector {
  spans: Span[];
  endpoint: string;
  requests: number;
  authorization?: string;
  encoding?: string;
  answer: () => Answer | undefined;
  keepEncoded?: (one: Encoded) => void; // called with each request, spans to the byte
}
export async function collector(): Promise<Collector> {
  const one: Collector = {spans: [], endpoint: '', requests: 0, answer: () => undefined};
  const server = collectorServer((spans, request, body) => {
    ++one.requests;
    one.authorization = request.headers.authorization;
    one.encoding = request.headers['content-encoding'];
    const answer = one.answer();
    if (!answer || answer.status === 200) one.spans.push(...spans);
    one.keepEncoded?.(encoded(body));
    return answer;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup(() => {
    server.closeAllConnections();
    server.close();
  });
  one.endpoint = `http://127.0.0.1:${(server.address() as {port: number}).port}`;
  return one;
}
export const exported = (endpoint: string, more = {}) => ({
  service: 'voice-bridge',
  export: {otlp: {endpoint, ...more}},
});
export const spansOf = (one: Collector, name: string, count = 1): Promise<Span[]> =>
  eventually(
    `${count} ${name} span(s)`,
    () => {
      const found = one.spans.filter((span) => span.name === name);
      return found.length >= count ? found : undefined;
    },
    20_000,
  );
