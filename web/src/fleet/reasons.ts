/** A colour for each way to end: calm for the expected, hot for the rest. Neighbours in a stack stay apart. */
export const REASON_COLORS: Record<string, string> = {
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
