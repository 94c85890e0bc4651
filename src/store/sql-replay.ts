import { join, sqltag } from '@prisma/client/runtime/client';
import type { ReplayStore, SingleUse } from '../ports.ts';
import { answered, type Database } from './database.ts';

interface Inserted {
  readonly key: string;
}

const rowOf = ({ key, expiresAt }: SingleUse) => sqltag`(${key}, ${BigInt(expiresAt)})`;

/** Replay records in the database: one statement marks all uses (RFC 9449 §11.1). */
export function sqlReplay(database: Database): ReplayStore & { removeExpired(now: number, limit: number): Promise<number> } {
  return {
    markUsed: (uses) =>
      answered(async () => {
        // One order for everybody: two requests with the same two identifiers must not wait for each other.
        const sorted = [...new Map(uses.map((use) => [use.key, use])).values()].sort((x, y) => (x.key < y.key ? -1 : 1));
        const [a, b] = sorted;
        if (a === undefined) return [];
        // A request of one or two uses, as nearly all are, has a statement of its own that the driver knows already.
        const rows =
          sorted.length > 2
            ? await database.$queryRaw<
                Inserted[]
              >`insert into replay_record (key, expires_at) values ${join(sorted.map(rowOf))} on conflict do nothing returning key`
            : b === undefined
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
