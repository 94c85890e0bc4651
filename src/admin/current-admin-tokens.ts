import type { Clock } from '../domain/clock.ts';
import type { AdminTokens } from '../ports/admin-tokens.ts';

/** Milliseconds for which what was read counts. */
const fresh = 1000;

/**
 * Answers whether a hash is that of a current admin token, from one look into the store a second,
 * however many hashes are asked for: strangers cause no more. Never throws: a store that is away
 * leaves what was known.
 * @param monotonic milliseconds of a clock that only goes forward
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
      // Who waits for an answer tries again.
    } finally {
      reading = undefined;
    }
  };
  return async (hash) => {
    // One at a time: an older answer that comes late would replace a newer one.
    if (reading === undefined && monotonic() - readAt >= fresh) reading = read();
    await reading;
    return hashes.has(hash);
  };
}
