const last = new Map<string, Promise<void>>();

/**
 * Waits for the write lock of this SQLite file, in the order of the calls; returns a function that
 * releases it. SQLite has one writer, and a thread that waits inside SQLite can do nothing else, so
 * the threads of one process queue here first.
 */
export async function acquireWriteLock(file: string): Promise<() => void> {
  const before = last.get(file);
  const { promise, resolve } = Promise.withResolvers<void>();
  last.set(file, promise);
  await before;
  return () => {
    if (last.get(file) === promise) last.delete(file);
    resolve();
  };
}
