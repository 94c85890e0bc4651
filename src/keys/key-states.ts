import type { AuditEvent } from '../domain/audit-event.ts';
import { type Stage, type StoredSigningKey, stages } from '../ports/signing-key-store.ts';

export const stateNames = [...stages, 'revoked'] as const;
export type SigningKeyState = (typeof stateNames)[number];

/** A key in its life at one moment. Times in milliseconds since the epoch. */
export interface KeyWithState {
  readonly key: StoredSigningKey;
  readonly state: SigningKeyState;
  readonly retiredAt?: number;
  readonly removedAt?: number;
}

/**
 * Where each key is in its life at `now`. It follows from the instants in the store alone, so that
 * all replicas see the same: a key retires when a later one of its algorithm becomes active, and
 * leaves the JWK Set `published` milliseconds after that.
 */
export function livesAt(
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

/**
 * Of each list of keys that was read: every token asks for it, and only another reading changes it.
 */
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
 * What the audit trail does not have yet of a key's life, oldest first, and the stage that it has
 * when these are recorded.
 */
export function unrecorded({ key, state, retiredAt, removedAt }: KeyWithState): {
  readonly stage: Stage;
  readonly events: readonly AuditEvent[];
} {
  const reached = state !== 'revoked' ? state : hasItsTime(key) ? 'active' : 'announced';
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

/** Who rotated: the operator, or the schedule. */
export type Announcer = 'admin' | 'server';

/** The record of a key that is new, or is to sign earlier. */
export function announcement(
  { activeAt, ...key }: Pick<StoredSigningKey, 'kid' | 'alg' | 'purpose' | 'activeAt'>,
  actor: Announcer,
): AuditEvent {
  return { type: 'signing_key_announced', actor, detail: { ...nameOf(key), active_at: activeAt } };
}

/** How a record names a key: its purpose only where that is not the ordinary one. */
function nameOf({ kid, alg, purpose }: Pick<StoredSigningKey, 'kid' | 'alg' | 'purpose'>) {
  return { kid, alg, ...(purpose !== 'issuer' && { purpose }) };
}

/**
 * When the next key of these may become active at the earliest: not before one that is revoked,
 * which would have taken over from it.
 */
export function earliest(keys: readonly StoredSigningKey[], now: number): number {
  return Math.max(
    now,
    ...keys
      .filter((key) => key.revokedAt !== undefined && hasItsTime(key))
      .map(({ activeAt }) => activeAt),
  );
}

/**
 * One that was revoked after it had taken over did so for good: the key before it does not come
 * back.
 */
function takesOver(other: StoredSigningKey, key: StoredSigningKey): boolean {
  if (other.revokedAt !== undefined) return hasItsTime(other) && other.activeAt > key.activeAt;
  return other.activeAt > key.activeAt || (other.activeAt === key.activeAt && other.kid > key.kid);
}

/** Signs, or will sign, or did before it was revoked. */
function hasItsTime({ activeAt, revokedAt }: StoredSigningKey): boolean {
  return revokedAt === undefined || activeAt <= revokedAt;
}
