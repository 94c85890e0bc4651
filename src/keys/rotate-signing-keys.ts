import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import type { StoredSigningKey } from '../ports/signing-key-store.ts';
import {
  advance,
  clockDifference,
  fill,
  latestKey,
  type Succession,
  succeed,
} from './key-succession.ts';

/** When keys rotate. Times in milliseconds. */
export interface RotationTimes {
  /** How long a key signs before its successor takes over. */
  readonly rotationInterval: number;
  /** How long before its use a scheduled key is announced. */
  readonly scheduledAnnouncement: number;
  /** The same for a manually created key: until every cached JWK Set has it. */
  readonly announcement: number;
}

/** Attempts of a manual rotation; each fails if another replica is first. */
const rotationTries = 5;

/** Announces the successors that are due by the schedule. */
export async function rotateOnSchedule(keys: Succession & RotationTimes): Promise<void> {
  const { held, now, rotationInterval } = keys;
  for (const alg of new Set(held.stored().map((key) => key.alg))) {
    await fill(keys, alg);
    const latest = latestKey(keys, alg);
    if (latest === undefined) continue;
    const due = latest.activeAt + rotationInterval;
    if (due - keys.scheduledAnnouncement > now()) continue;
    await succeed(keys, alg, Math.max(due, now() + keys.announcement));
  }
}

/** Announces a successor that signs from `activeAt`, and returns how to find it afterwards. */
export async function rotateByHand(
  keys: Succession,
  alg: AccessTokenSigningAlgorithm,
  activeAt: number,
): Promise<() => StoredSigningKey | undefined> {
  const { held, now } = keys;
  const hadTheirTurn = new Set(
    held.stored().flatMap((key) => (key.activeAt <= now() ? [key.kid] : [])),
  );
  const successor = () =>
    held
      .stored()
      .find(
        (key) =>
          key.alg === alg &&
          key.revokedAt === undefined &&
          !hadTheirTurn.has(key.kid) &&
          key.activeAt <= activeAt + clockDifference,
      );
  // Another replica may announce a later one, or revoke the one that was announced.
  for (let tried = 0; tried < rotationTries && successor() === undefined; tried++) {
    const latest = latestKey(keys, alg);
    // An announced successor only needs an earlier time; further ones would have nothing to sign.
    if (latest !== undefined && latest.activeAt > now())
      await advance(keys, latest, activeAt, 'admin');
    else await succeed(keys, alg, activeAt, 'admin');
  }
  return () => successor() ?? latestKey(keys, alg);
}
