import type { Clock } from '../domain/clock.ts';
import type { CredentialUse } from '../domain/credential-use.ts';
import type { CredentialUseLog, NoteUse } from '../ports/credential-use-log.ts';

/** Milliseconds by which the recorded last use may lag. */
const precision = 60_000;

/** Uses per statement. */
const batch = 250;

/**
 * Maximum credentials remembered. The oldest is then forgotten: its next use is recorded again, and
 * an unwritten one is lost.
 */
const maxRemembered = 10_000;

/** Records uses of credentials. */
export interface CredentialUseRecorder {
  readonly note: NoteUse;
  /**
   * Writes one batch and returns whether there is more. Throws StoreUnavailable, and keeps what it
   * could not write.
   */
  flush(): Promise<boolean>;
  /** Writes all pending uses. */
  flushAll(): Promise<void>;
}

/** Collects uses in memory, each credential at most once a minute, until they are written. */
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
    // A newer use waits for the next batch.
    for (const [name, use] of uses) if (waiting.get(name) === use) waiting.delete(name);
    return waiting.size > 0;
  };
  return {
    note(registrationId, kind, identifier, kid) {
      // Neither kind nor identifier contains a space.
      const name = `${kind} ${identifier} ${registrationId}`;
      const now = clock();
      const last = noted.get(name);
      if (last !== undefined && now - last < precision) return;
      putLatest(noted, name, now);
      // The client chooses the kid: keep only what every database can store.
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

/** Moves an entry to the end of the eviction order. */
function putLatest<Value>(map: Map<string, Value>, name: string, value: Value): void {
  map.delete(name);
  const [oldest] = map.size < maxRemembered ? [] : map.keys();
  if (oldest !== undefined) map.delete(oldest);
  map.set(name, value);
}
