import type { Clock } from '../domain/clock.ts';
import type { CredentialUse } from '../domain/credential-use.ts';
import type { CredentialUseLog, NoteUse } from '../ports/credential-use-log.ts';

/** Milliseconds by which the last use on record may be too early. */
const precision = 60_000;

/** Uses a statement. */
const batch = 250;

/**
 * Credentials remembered; beyond that the oldest is forgotten: noted once more when it is used
 * again, or lost when it was not written yet.
 */
const maxRemembered = 10_000;

/** What `credentialUseRecorder` answers. */
export interface CredentialUseRecorder {
  readonly note: NoteUse;
  /**
   * Writes one batch and answers whether there is more. Throws StoreUnavailable, and keeps what it
   * could not write.
   */
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
