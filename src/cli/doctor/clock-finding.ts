import { about, type Finding } from './finding.ts';

/** Milliseconds by which two clocks may differ: proofs are dated to the second. */
const tolerated = 2000;

const aboutClock = (name: string) =>
  about(`clock against ${name}`, 'less than 2 s apart', 'operations/signing-keys.md');

/** The finding if no other clock can be read. */
export function unknownClock(name: string, reason: string): Finding {
  return aboutClock(name).unknown(reason);
}

/** Compares this machine's clock with another one, read between two readings of the first. */
export function clockFinding(
  name: string,
  { at, before, after }: { readonly at: number; readonly before: number; readonly after: number },
): Finding {
  const clock = aboutClock(name);
  const apart = at < before ? at - before : Math.max(at - after, 0);
  const found = `this machine is ${(Math.abs(apart) / 1000).toFixed(1)} s ${apart > 0 ? 'behind' : 'ahead'}`;
  return Math.abs(apart) < tolerated
    ? clock.ok(`${(Math.abs(apart) / 1000).toFixed(1)} s apart`)
    : clock.fault(found, 'Synchronize both clocks with NTP (timedatectl set-ntp true).');
}
