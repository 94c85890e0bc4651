import { about, type Finding } from './finding.ts';

/** Milliseconds by which two clocks may differ: proofs are dated to the second. */
const tolerated = 2000;

const aboutClock = (name: string) =>
  about(`clock against ${name}`, 'less than 2 s apart', 'operations/signing-keys.md');

/** There is no other clock to compare with. */
export function unknownClock(name: string, reason: string): Finding {
  return aboutClock(name).unknown(reason);
}

/** Compares the clock of this machine with another one, read between two moments of the first. */
export function clockFinding(
  name: string,
  { at, before, after }: { readonly at: number; readonly before: number; readonly after: number },
): Finding {
  const clock = aboutClock(name);
  const apart = at < before ? at - before : Math.max(at - after, 0);
  const found = `this machine is ${(Math.abs(apart) / 1000).toFixed(1)} s ${apart > 0 ? 'behind' : 'ahead'}`;
  return Math.abs(apart) < tolerated
    ? clock.ok(`${(Math.abs(apart) / 1000).toFixed(1)} s apart`)
    : clock.fault(found, 'Set both clocks by NTP (timedatectl set-ntp true).');
}
