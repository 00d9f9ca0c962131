// Counts that a double cannot hold exactly come as text. The page shows three figures of a number: it may round them,
// and must not join them as texts.

const COUNTS = new Set(
  (
    'active active_max active_min against_count against_deaths against_of anomalies buffered_bytes ' +
    'buffered_bytes_max buffered_sessions bytes bytes_per_second cancelled chunks count counted deaths ' +
    'duplicate_spans ended errors expired_spans invocations_open length logs matched measured messages ' +
    'messages_per_second misses misses_now missing_pongs missing_pongs_max number of opened queued_bytes ' +
    'reconnects refused refused_batches sessions spans total total_groups written_spans'
  ).split(' '),
);
/** What is in them is exact and, in part, other people's text. */
const SPANS = new Set(['spans', 'invocations', 'connection', 'logs', 'query']);

/** An answer in which counts are numbers, whatever they came as. */
export function counted<T>(answer: T): T {
  if (Array.isArray(answer)) return (answer as unknown[]).map(counted) as T;
  if (answer === null || typeof answer !== 'object') return answer;
  return Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, field(key, value)])) as T;
}

function field(key: string, value: unknown): unknown {
  if (COUNTS.has(key) && isText(value)) return Number(value);
  if (COUNTS.has(key) && Array.isArray(value) && value.some(isText))
    return value.map((one: unknown) => (isText(one) ? Number(one) : one));
  return SPANS.has(key) ? value : counted(value);
}
const isText = (value: unknown): value is string => typeof value === 'string' && /^-?\d{16,}$/.test(value);
