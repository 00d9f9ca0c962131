/** A colour for each way to end: calm for the expected, hot for the rest. Neighbours in a stack stay apart. */
const REASON_COLORS: Record<string, string> = {
  normal: '--series-0',
  drain: '--series-1',
  idle: '--series-2',
  heartbeat_timeout: '--bad-mark',
  stuck: '--series-5',
  reset: '--warn-mark',
  protocol_error: '--series-3',
  limit: '--series-6',
  lost: '--text',
};

/** Of ends of a kind; those by their code have one for RFC 6455's, as 1011, and one for applications', as 4001. */
export const kindColor = (kind: string): string =>
  REASON_COLORS[kind] ?? (/^[34]\d{3} /.test(kind) ? '--series-5' : /^\d/.test(kind) ? '--series-4' : '--series-7');
