import type { ReplayStore } from '../ports.ts';
import { answered, type Database } from './database.ts';

interface Inserted {
  readonly key: string;
}

/** Replay records in the database: one statement marks all uses (RFC 9449 §11.1). */
export function sqlReplay(database: Database): ReplayStore & { removeExpired(now: number, limit: number): Promise<number> } {
  return {
    markUsed: (uses) =>
      answered(async () => {
        // One order for everybody: two requests with the same two identifiers must not wait for each other.
        const [a, b, ...more] = [...new Map(uses.map((use) => [use.key, use])).values()].sort((x, y) => (x.key < y.key ? -1 : 1));
        if (a === undefined || more.length > 0) throw new Error('one or two uses at a time');
        const rows =
          b === undefined
            ? await database.$queryRaw<
                Inserted[]
              >`insert into replay_record (key, expires_at) values (${a.key}, ${BigInt(a.expiresAt)}) on conflict do nothing returning key`
            : await database.$queryRaw<
                Inserted[]
              >`insert into replay_record (key, expires_at) values (${a.key}, ${BigInt(a.expiresAt)}), (${b.key}, ${BigInt(b.expiresAt)}) on conflict do nothing returning key`;
        const inserted = new Set(rows.map(({ key }) => key));
        return uses.map(({ key }) => inserted.delete(key));
      }),
    removeExpired: (now, limit) =>
      answered(
        // A minute of grace: the clock of another replica may be behind.
        () =>
          database.$executeRaw`delete from replay_record where key in (select key from replay_record where expires_at < ${BigInt(now - 60)} limit ${limit})`,
      ),
  };
}
