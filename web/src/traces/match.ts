import type {Json} from '../api/types';
import type {Row} from './layout';

/** Rows whose name, service, id, status message, attributes or events contain `search`, whatever the case. */
export function matches(rows: readonly Row[], search: string): {list: number[]; set: Set<number>} {
  const wanted = search.toLowerCase(),
    list: number[] = [];
  rows.forEach((row, i) => {
    const span = row.span;
    if (!span) return;
    const has = (text: string) => text.toLowerCase().includes(wanted);
    const holds = (all: {key: string; value: Json}[]) =>
      all.some((one) => has(one.key) || has(typeof one.value === 'string' ? one.value : JSON.stringify(one.value)));
    if (
      has(span.name) ||
      has(span.service) ||
      has(span.span_id) ||
      has(span.status_message) ||
      holds(span.attributes) ||
      span.events.some((event) => has(event.name) || holds(event.attributes))
    )
      list.push(i);
  });
  return {list, set: new Set(list)};
}
