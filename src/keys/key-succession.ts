import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import {
  beginningOf,
  type SigningKeyStore,
  type StoredSigningKey,
} from '../ports/signing-key-store.ts';
import { generateKey } from './generate-key.ts';
import type { KeyEncryption } from './key-encryption.ts';
import type { KeyRing } from './key-ring.ts';
import { type Announcer, announcement, earliest, unrecorded } from './key-states.ts';

/** The keys, store and clock that the succession works on. */
export interface Succession {
  readonly store: SigningKeyStore;
  readonly encryption: KeyEncryption;
  readonly held: KeyRing;
  /** The database's time in milliseconds. */
  readonly now: () => number;
}

/** Milliseconds by which two replicas may read the database's clock differently. */
export const clockDifference = 1000;

/** The last key of this algorithm that signs, among those that are not revoked. */
export function latestKey(
  { held }: Succession,
  alg: AccessTokenSigningAlgorithm,
): StoredSigningKey | undefined {
  return [...held.stored()]
    .filter((key) => key.alg === alg && key.revokedAt === undefined)
    .sort((a, b) => a.activeAt - b.activeAt)
    .at(-1);
}

/** The earliest time at which the next key of this algorithm may become active. */
export function soonest({ held, now }: Succession, alg: AccessTokenSigningAlgorithm): number {
  return earliest(
    held.stored().filter((key) => key.alg === alg),
    now(),
  );
}

/** Adds a key at the end of the succession, unless another replica did. */
export async function succeed(
  { store, encryption, held, now }: Succession,
  alg: AccessTokenSigningAlgorithm,
  activeAt: number,
  actor: Announcer = 'server',
): Promise<void> {
  const predecessor = lastOf(alg, held);
  const life = {
    purpose: held.purpose,
    createdAt: now(),
    activeAt,
    ...(predecessor !== undefined && { predecessor }),
  };
  const add = async () => {
    const successor = await generateKey(alg, encryption, life);
    return store.addSigningKey(successor, announcement(successor, actor));
  };
  if ((await add()) === 'sealed_anew') await add();
  await held.read();
}

/** Lets an announced key sign earlier. */
export async function advance(
  { store, held }: Succession,
  key: StoredSigningKey,
  activeAt: number,
  actor: Announcer,
): Promise<void> {
  await store.advanceSigningKey(key.kid, activeAt, announcement({ ...key, activeAt }, actor));
  await held.read();
}

/** Adds the successor of a revoked key if the process that revoked it could not. */
export async function fill(
  succession: Succession,
  alg: AccessTokenSigningAlgorithm,
): Promise<void> {
  const first = succession.held.signing(alg);
  if (first?.state === 'active') return;
  const activeAt = soonest(succession, alg);
  if (first === undefined) return succeed(succession, alg, activeAt);
  // It may be slightly ahead if another replica has just created it by its own clock.
  if (first.key.activeAt > activeAt + clockDifference)
    await advance(succession, first.key, activeAt, 'server');
}

/** Records the state changes of keys that the audit trail lacks. */
export async function record({ store, held }: Succession): Promise<void> {
  const due = held.states().map((each) => ({ key: each.key, ...unrecorded(each) }));
  for (const { key, stage, events } of due)
    if (events.length > 0) await store.recordStage(key.kid, key.recordedStage, stage, events);
}

/** The `kid` of the last key of an algorithm, even if it is revoked or damaged. */
function lastOf(alg: string, held: KeyRing): string | undefined {
  const beginning = beginningOf(held.purpose, alg);
  const next = new Map([
    // A separate start for each algorithm. If all began at one place, two keys revoked at the same
    // time would compete for the next one, and one would get no successor.
    ...held
      .stored()
      .map((key) => [key.predecessor ?? beginningOf(held.purpose, key.alg), key.kid] as const),
    ...held.damaged().map(({ follows, kid }) => [follows ?? '', kid] as const),
  ]);
  let last: string | undefined;
  for (
    let kid = next.get(beginning);
    kid !== undefined && next.delete(last ?? beginning);
    kid = next.get(kid)
  )
    last = kid;
  return last;
}
