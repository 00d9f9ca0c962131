// attacker.mjs NAME NUMBER SECONDS SEED TARGET: so many attackers for so long, then they are gone; prints what they
// did.
import {Attackers, type Target} from './attack.js';
import {attacks} from './attacks.js';

const [name, number, seconds, seed, target] = process.argv.slice(2);
const attack = attacks.find((each) => each.name === name);
if (!attack) {
  console.error(`no such attack: ${name}`);
  process.exit(2);
}
// What it left open is closed by the kernel.
const leave = (): void => {
  process.stdout.write(`did ${JSON.stringify(by.counts)}\n`, () => process.exit(0));
};
const by = new Attackers(JSON.parse(target!) as Target, Number(number), Number(seconds), Number(seed), () => {
  console.log('begun');
  setTimeout(leave, Number(seconds) * 1000 + 200);
});
process.on('SIGTERM', leave);
process.on('uncaughtException', (error) => {
  // A socket that an attack has let go of may still fail.
  if ((error as NodeJS.ErrnoException).code) by.count('errors');
  else throw error;
});
await attack.run(by);
