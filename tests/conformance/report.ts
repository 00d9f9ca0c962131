// Two verdicts a case, side by side: the peer alone, and the peer behind the proxy.
import {mkdirSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import type {Again, Row} from './verdict.js';

const counts = <T extends string>(values: T[]): string => {
  const table = new Map<T, number>();
  for (const value of values) table.set(value, (table.get(value) ?? 0) + 1);
  return [...table].map(([value, n]) => `${value} ${n}`).join(', ');
};

export function writeReport(file: string, title: string, rows: Row[]): void {
  mkdirSync(dirname(file), {recursive: true});
  writeFileSync(file, `${JSON.stringify({title, cases: rows}, undefined, 1)}\n`);
}

const shares = (table: Record<string, number>): string =>
  Object.entries(table)
    .map(([verdict, n]) => `${n} × ${verdict}`)
    .join('; ');

const triedAgain = ({tries, differed, direct, proxied}: Again): string =>
  `tried again ${tries} times, worse than ever without the proxy in ${differed}: ` +
  `direct ${shares(direct)}; proxied ${shares(proxied)}`;

// The table of one direction and peer: a line a group, then every case that is not plainly good.
export function table(title: string, rows: Row[]): string {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = row.id.split('.')[0]!;
    groups.set(group, [...(groups.get(group) ?? []), row]);
  }
  const lines = [title];
  for (const [group, members] of groups) {
    const proxied = members.flatMap((row) => (row.proxied ? [row.proxied] : []));
    lines.push(
      `  ${group.padStart(2)}.*  ${String(members.length).padStart(3)} cases   ` +
        `direct: ${counts(members.map((row) => row.direct.verdict))}` +
        (proxied.length ? `   proxied: ${counts(proxied.map((one) => one.verdict))}` : ''),
    );
  }
  for (const row of rows) {
    const odd = [row.direct, row.proxied].some(
      (one) => one && (one.verdict === 'FAILED' || !['OK', 'INFORMATIONAL'].includes(one.close)),
    );
    if (!row.worse && !odd && !row.again) continue;
    lines.push(`  ${row.worse ? 'WORSE' : 'note '} ${row.id.padEnd(8)} ${row.what}`);
    if (row.again) lines.push(`          ${triedAgain(row.again)}`);
    for (const [name, one] of [
      ['direct', row.direct],
      ['proxied', row.proxied],
    ] as const)
      if (one)
        lines.push(
          `          ${name.padEnd(8)}${one.verdict}, close ${one.close} (${one.code ?? 'no Close'}, ` +
            `TCP ended by ${one.tcp}): ${one.seen}${one.detail ? `; ${one.detail}` : ''}`,
        );
  }
  return lines.join('\n');
}
