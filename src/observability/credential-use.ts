import type { Clock } from '../domain/clock.ts';

/** What a client or a resource server authenticates by, or proves as a key that is registered for it. */
export type CredentialKind = 'secret' | 'registered_key' | 'certificate';

/** A credential that was accepted. */
export interface Credential {
  readonly kind: CredentialKind;
  /** Id of the secret, `jkt` of the key (RFC 7638), `x5t#S256` of the certificate (RFC 8705 §3.1). */
  readonly identifier: string;
}

/** The last use of a credential that is known of. */
export interface CredentialUse extends Credential {
  /** `registration_id` of the client, or `id` of the resource server. */
  readonly registrationId: string;
  readonly kid?: string;
  /** Milliseconds since the epoch. */
  readonly usedAt: number;
}

/** Where last uses are kept. All throw StoreUnavailable. */
export interface CredentialUseLog {
  /** Keeps these, none of them twice; of what several replicas say, the later time. */
  record(uses: readonly CredentialUse[]): Promise<void>;
  /** The credentials of this kind used last, the latest first, 100 at most. */
  usesOf(registrationId: string, kind: CredentialKind): Promise<readonly CredentialUse[]>;
}

/** Says that a credential was accepted just now. Neither waits nor fails. */
export type NoteUse = (
  registrationId: string,
  kind: CredentialKind,
  identifier: string,
  kid?: string,
) => void;

/** Milliseconds by which the last use on record may be too early. */
const precision = 60_000;

/** Uses a statement. */
const batch = 250;

/** Credentials remembered; beyond that the oldest is forgotten: noted once more when it is used again, or lost when it was not written yet. */
const maxRemembered = 10_000;

/** What `credentialUseRecorder` answers. */
export interface CredentialUseRecorder {
  readonly note: NoteUse;
  /** Writes one batch and answers whether there is more. Throws StoreUnavailable, and keeps what it could not write. */
  flush(): Promise<boolean>;
  /** Writes all there is. */
  flushAll(): Promise<void>;
}

/** Notes uses in memory, each credential once a minute, until they are written. */
export function credentialUseRecorder(
  log: Pick<CredentialUseLog, 'record'>,
  clock: Clock,
): CredentialUseRecorder {
  const noted = new Map<string, number>();
  const waiting = new Map<string, CredentialUse>();
  const flush = async () => {
    const uses = [...waiting].slice(0, batch);
    if (uses.length === 0) return false;
    await log.record(uses.map(([, use]) => use));
    // What was noted meanwhile waits for the next batch.
    for (const [name, use] of uses) if (waiting.get(name) === use) waiting.delete(name);
    return waiting.size > 0;
  };
  return {
    note(registrationId, kind, identifier, kid) {
      // Neither kind nor identifier has a space.
      const name = `${kind} ${identifier} ${registrationId}`;
      const now = clock();
      const last = noted.get(name);
      if (last !== undefined && now - last < precision) return;
      putLatest(noted, name, now);
      // A kid comes from the client: only what every database can store.
      const named = kid !== undefined && /^[\x20-\x7e]{1,255}$/.test(kid);
      putLatest(waiting, name, {
        registrationId,
        kind,
        identifier,
        ...(named && { kid }),
        usedAt: now,
      });
    },
    flush,
    async flushAll() {
      while (await flush());
    },
  };
}

/** Puts it last in the order in which entries are dropped. */
function putLatest<Value>(map: Map<string, Value>, name: string, value: Value): void {
  map.delete(name);
  const [oldest] = map.size < maxRemembered ? [] : map.keys();
  if (oldest !== undefined) map.delete(oldest);
  map.set(name, value);
}
