/** Milliseconds between writes, between retries, and for which a success counts. */
const [writeInterval, retryInterval, staleAfter] = [3000, 1000, 15_000];

/** Verifies by background writes that a store is writable. */
export interface WriteCheck {
  /** Reports the last write without writing; waits for the first one. Throws its error. */
  readonly check: () => Promise<void>;
  /** Starts writing; returns a function that stops it. */
  readonly start: () => () => void;
}

/**
 * Writes every 3 s, and every second while that fails. A read-only or full store still answers
 * reads but refuses every token.
 * @param now milliseconds of a monotonic clock
 */
export function writeCheck(
  write: () => Promise<void>,
  now: () => number = () => performance.now(),
): WriteCheck {
  const first = Promise.withResolvers<void>();
  let succeeded = Number.NEGATIVE_INFINITY;
  let failure: unknown;
  let isWriting = false;
  const writeOnce = async () => {
    if (isWriting) return;
    isWriting = true;
    const began = now();
    try {
      await write();
      [succeeded, failure] = [began, undefined];
    } catch (error) {
      failure = error;
    }
    isWriting = false;
    first.resolve();
  };
  return {
    async check() {
      await first.promise;
      if (failure !== undefined) throw failure;
      if (now() - succeeded > staleAfter)
        throw new Error(`no write succeeded in the last ${staleAfter / 1000} s`);
    },
    start() {
      void writeOnce();
      const timer = setInterval(() => {
        if (failure !== undefined || now() - succeeded >= writeInterval) void writeOnce();
      }, retryInterval);
      return () => clearInterval(timer);
    },
  };
}
