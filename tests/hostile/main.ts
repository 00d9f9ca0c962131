// tests/hostile/run [NAME...] [--full | --bench] …: attacks, each with bystanders who must not notice.
import {mkdirSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {parseArgs} from 'node:util';
import type {Attack} from './attack.js';
import {attacks} from './attacks.js';
import {faults, figures, header, row} from './judge.js';
import {soak} from './soak.js';
import {type Outcome, play, type Timing} from './stage.js';

const {values: options, positionals: names} = parseArgs({
  allowPositionals: true,
  options: {
    full: {type: 'boolean'},
    bench: {type: 'boolean'},
    list: {type: 'boolean'},
    attackers: {type: 'string'},
    seconds: {type: 'string'},
    json: {type: 'string'},
    bin: {type: 'string'},
    soak: {type: 'string'},
    seed: {type: 'string'},
  },
});
if (options.bin) process.env.SOCKEYE_BIN = options.bin;

interface Turn {
  attack: Attack;
  attackers: number;
}
// In CI each attack once; otherwise with one attacker and with 32.
function plan(): Turn[] {
  const wanted = (name: string): boolean => !names.length || names.includes(name);
  const unknown = names.filter((name) => !attacks.some((attack) => attack.name === name));
  if (unknown.length) fail(`no such attack: ${unknown.join(' ')}; --list has them`);
  const short = !options.full && !options.bench;
  return attacks
    .filter((attack) => wanted(attack.name) && (names.length || !short || attack.ci))
    .flatMap((attack) => {
      const numbers = options.attackers
        ? options.attackers.split(',').map(Number)
        : short
          ? [attack.ci ?? 32]
          : (attack.attackers ?? [1, 32]);
      return numbers.map((attackers) => ({attack, attackers}));
    });
}

// Why this machine cannot play it.
function missing(attack: Attack): string | undefined {
  if (attack.needs && process.getuid?.() !== 0) return 'not root';
  if (attack.needs === 'namespace' && !process.env.SOCKEYE_HOSTILE_NAMESPACE) return 'no network namespace of its own';
  return undefined;
}

function fail(why: string): never {
  console.error(`hostile: ${why}`);
  process.exit(2);
}

async function main(): Promise<void> {
  if (options.list) {
    for (const {name, what, ci, target} of attacks)
      console.log(`${name.padEnd(26)} ${target}${ci ? ' (CI)' : ''}: ${what}`);
    return;
  }
  if (options.soak) {
    const seed = Number(options.seed ?? Date.now() % 1_000_000);
    console.log(`${options.soak} minutes, --seed ${seed}`);
    const found = await soak(Number(options.soak), seed);
    for (const fault of found) console.log(`    ✗ ${fault}`);
    console.log(found.length ? 'the soak failed' : 'the soak passed');
    process.exit(found.length ? 1 : 0);
  }
  const timing: Timing = {
    quiet: options.bench || options.full ? 3 : 1,
    attack: Number(options.seconds ?? (options.bench || options.full ? 5 : 2)),
  };
  const results: (Turn & {outcome?: Outcome; faults: string[]; skipped?: string})[] = [];
  const begun = performance.now();
  console.log(header());
  for (const turn of plan()) {
    const skipped = missing(turn.attack);
    if (skipped) {
      console.log(`${turn.attack.name}: skipped: ${skipped}`);
      results.push({...turn, faults: [], skipped});
      continue;
    }
    const since = performance.now();
    try {
      const outcome = await play(turn.attack, turn.attackers, timing);
      const found = faults(turn.attack, outcome, !!options.bench);
      console.log(row(outcome));
      const took = ((performance.now() - since) / 1000).toFixed(0);
      if (process.env.SOCKEYE_HOSTILE_VERBOSE)
        console.log(`    ${took} s: ${JSON.stringify([outcome.did, outcome.upstream])}`);
      for (const fault of found) console.log(`    ✗ ${fault}`);
      results.push({...turn, outcome, faults: found});
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      console.log(`${turn.attack.name} × ${turn.attackers}\n    ✗ ${why}`);
      results.push({...turn, faults: [why]});
    }
  }
  const failed = results.filter((each) => each.faults.length);
  if (options.json) {
    mkdirSync(dirname(options.json), {recursive: true});
    const rows = results.map(({attack, attackers, outcome, faults, skipped}) => ({
      attack: attack.name,
      attackers,
      skipped,
      faults,
      ...(outcome && {figures: figures(outcome), outcome}),
    }));
    writeFileSync(options.json, JSON.stringify(rows, undefined, 1));
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  const skipped = results.filter((each) => each.skipped).length;
  console.log(
    `${results.length - failed.length - skipped} passed, ${failed.length} failed, ${skipped} skipped, ${seconds} s` +
      (failed.length ? `: ${[...new Set(failed.map((each) => each.attack.name))].join(', ')}` : ''),
  );
  process.exit(failed.length ? 1 : 0);
}
await main();
