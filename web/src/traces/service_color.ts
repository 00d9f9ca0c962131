const COLORS = ['--series-1', '--series-2', '--series-3', '--series-4', '--series-5', '--series-6', '--series-7'];

/** A colour for each service of a trace, in order of appearance: neighbours differ, the eighth starts over. */
export function serviceColors(services: Iterable<string>): Map<string, string> {
  const colors = new Map<string, string>();
  for (const service of services) if (!colors.has(service)) colors.set(service, COLORS[colors.size % COLORS.length]!);
  return colors;
}
