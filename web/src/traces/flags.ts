/** W3C's trace flags in the lowest eight bits, and what OTLP adds: whether the parent is of another process. */
export function flagsText(flags: number): string {
  const words: string[] = [flags & SAMPLED ? 'sampled' : 'not sampled'];
  if (flags & RANDOM) words.push('random trace id');
  if (flags & KNOWS_REMOTE) words.push(flags & REMOTE ? 'parent is remote' : 'parent is local');
  return `${words.join(', ')} (0x${flags.toString(16)})`;
}
const SAMPLED = 0x1,
  RANDOM = 0x2,
  KNOWS_REMOTE = 0x100,
  REMOTE = 0x200;
