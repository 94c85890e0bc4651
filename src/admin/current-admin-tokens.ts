import type { Clock } from '../domain/clock.ts';
import type { AdminTokens } from '../ports/admin-tokens.ts';

/** Milliseconds for which a reading is used. */
const fresh = 1000;

/**
 * Tells whether a hash is that of a current admin token, with one store read a second no matter how
 * many hashes strangers send. Never throws: during an outage the last reading counts.
 * @param monotonic milliseconds of a monotonic clock
 */
export function currentAdminTokens(
  adminTokens: Pick<AdminTokens, 'currentHashes'>,
  clock: Clock,
  monotonic: () => number = () => performance.now(),
): (hash: string) => Promise<boolean> {
  let hashes: ReadonlySet<string> = new Set();
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;
  const read = async () => {
    readAt = monotonic();
    try {
      hashes = new Set(await adminTokens.currentHashes(clock()));
    } catch {
      // The next caller tries again.
    } finally {
      reading = undefined;
    }
  };
  return async (hash) => {
    // One at a time: a late older answer would replace a newer one.
    if (reading === undefined && monotonic() - readAt >= fresh) reading = read();
    await reading;
    return hashes.has(hash);
  };
}
