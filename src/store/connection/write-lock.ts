const last = new Map<string, Promise<void>>();

/**
 * Waits until nobody else in this process writes to this SQLite file, in the order of the calls;
 * answers what ends the turn. SQLite has one writer, and a thread that waits for it within SQLite
 * does nothing else meanwhile: threads of one process take turns before they get there.
 */
export async function withWriteLock(file: string): Promise<() => void> {
  const before = last.get(file);
  const { promise, resolve } = Promise.withResolvers<void>();
  last.set(file, promise);
  await before;
  return () => {
    if (last.get(file) === promise) last.delete(file);
    resolve();
  };
}
