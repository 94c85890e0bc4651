import type { AuditEvent } from '../domain/audit-event.ts';
import { type Stage, type StoredSigningKey, stages } from '../ports/signing-key-store.ts';

export const stateNames = [...stages, 'revoked'] as const;
export type SigningKeyState = (typeof stateNames)[number];

/** A key and its state at one moment. Times in milliseconds since the epoch. */
export interface KeyWithState {
  readonly key: StoredSigningKey;
  readonly state: SigningKeyState;
  readonly retiredAt?: number;
  readonly removedAt?: number;
}

/**
 * Derives the state of each key at `now` from the times in the store alone, so that all replicas
 * agree: a key retires when a later one of its algorithm becomes active, and leaves the JWK Set
 * `published` milliseconds after that.
 */
export function keyStatesAt(
  keys: readonly StoredSigningKey[],
  now: number,
  published: number,
): readonly KeyWithState[] {
  return withRetirement(keys).map(({ key, retiredAt }) => {
    if (key.revokedAt !== undefined) return { key, state: 'revoked' };
    if (retiredAt === undefined) return { key, state: key.activeAt > now ? 'announced' : 'active' };
    const removedAt = retiredAt + published;
    const state =
      key.activeAt > now
        ? 'announced'
        : retiredAt > now
          ? 'active'
          : removedAt > now
            ? 'retired'
            : 'removed';
    return { key, state, retiredAt, removedAt };
  });
}

interface WithRetirement {
  readonly key: StoredSigningKey;
  readonly retiredAt: number | undefined;
}

/** Retirement times by list of keys: every token needs them; only a new reading changes them. */
const retirements = new WeakMap<readonly StoredSigningKey[], readonly WithRetirement[]>();

function withRetirement(keys: readonly StoredSigningKey[]): readonly WithRetirement[] {
  const known = retirements.get(keys);
  if (known !== undefined) return known;
  const found = keys.map((key) => {
    const successors = keys.filter((other) => other.alg === key.alg && takesOver(other, key));
    return {
      key,
      retiredAt:
        successors.length === 0
          ? undefined
          : Math.min(...successors.map(({ activeAt }) => activeAt)),
    };
  });
  retirements.set(keys, found);
  return found;
}

/**
 * The changes of a key's state that the audit trail lacks, oldest first, and the recorded stage
 * after they are written.
 */
export function unrecorded({ key, state, retiredAt, removedAt }: KeyWithState): {
  readonly stage: Stage;
  readonly events: readonly AuditEvent[];
} {
  const reached = state !== 'revoked' ? state : everSigns(key) ? 'active' : 'announced';
  const detail = nameOf(key);
  const server = { actor: 'server' } as const;
  const events: Readonly<Record<Stage, AuditEvent>> = {
    announced: announcement(key, 'server'),
    active: {
      type: 'signing_key_activated',
      ...server,
      detail: { ...detail, active_at: key.activeAt },
    },
    retired: {
      type: 'signing_key_retired',
      ...server,
      detail: { ...detail, retired_at: retiredAt },
    },
    removed: {
      type: 'signing_key_removed',
      ...server,
      detail: { ...detail, removed_at: removedAt },
    },
  };
  const due = stages.slice(stages.indexOf(key.recordedStage) + 1, stages.indexOf(reached) + 1);
  return { stage: reached, events: due.map((stage) => events[stage]) };
}

/** The operator or the schedule, whichever rotated the key. */
export type Announcer = 'admin' | 'server';

/** Builds the record of a key that is new or will sign earlier. */
export function announcement(
  { activeAt, ...key }: Pick<StoredSigningKey, 'kid' | 'alg' | 'purpose' | 'activeAt'>,
  actor: Announcer,
): AuditEvent {
  return { type: 'signing_key_announced', actor, detail: { ...nameOf(key), active_at: activeAt } };
}

/** How a record names a key: it includes the purpose only if that is not the usual one. */
function nameOf({ kid, alg, purpose }: Pick<StoredSigningKey, 'kid' | 'alg' | 'purpose'>) {
  return { kid, alg, ...(purpose !== 'issuer' && { purpose }) };
}

/** The earliest start of the next key: not before a revoked one would have become active. */
export function earliest(keys: readonly StoredSigningKey[], now: number): number {
  return Math.max(
    now,
    ...keys
      .filter((key) => key.revokedAt !== undefined && everSigns(key))
      .map(({ activeAt }) => activeAt),
  );
}

/**
 * Whether a key replaces its predecessor. A key that was revoked while active still does, so its
 * predecessor does not return.
 */
function takesOver(other: StoredSigningKey, key: StoredSigningKey): boolean {
  if (other.revokedAt !== undefined) return everSigns(other) && other.activeAt > key.activeAt;
  return other.activeAt > key.activeAt || (other.activeAt === key.activeAt && other.kid > key.kid);
}

/** Whether a key signs, will sign, or signed before it was revoked. */
function everSigns({ activeAt, revokedAt }: StoredSigningKey): boolean {
  return revokedAt === undefined || activeAt <= revokedAt;
}
