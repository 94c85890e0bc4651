import type { SingleUse } from '../../domain/single-use.ts';
import type { ReplayStore, WasUsed } from '../../ports/replay-store.ts';
import { batched } from '../connection/batched.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { inDialects, jsonRows } from './dialect.ts';

interface Inserted {
  readonly key: string;
}

/** Inserts the new uses of a batch and returns their keys. */
export const insertUses = inDialects(
  (kind) =>
    `insert into replay_record (key, expires_at) select key, "expiresAt" from ${jsonRows[kind]('key text, "expiresAt" bigint')} where true on conflict do nothing returning key`,
);

/**
 * Replay records in the database: one statement marks the uses of all requests of one turn of the
 * event loop (RFC 9449 §11.1).
 */
export function sqlReplay(
  database: Database,
  kind: DatabaseKind,
): ReplayStore & { readonly wasUsed: WasUsed } {
  const markUsed = batched<readonly SingleUse[], readonly boolean[]>((requests) =>
    orStoreUnavailable(async () => {
      // The same order everywhere, so that two batches with the same identifiers cannot deadlock.
      const uses = [...new Map(requests.flat().map((use) => [use.key, use])).values()].sort(
        (x, y) => (x.key < y.key ? -1 : 1),
      );
      const rows = await database.$queryRawUnsafe<Inserted[]>(
        insertUses[kind],
        JSON.stringify(uses),
      );
      const inserted = new Set(rows.map(({ key }) => key));
      // Within the batch, too, only the first use counts.
      return requests.map((request) => request.map(({ key }) => inserted.delete(key)));
    }),
  );
  return {
    markUsed,
    wasUsed: async ({ key }) =>
      (await orStoreUnavailable(() => database.replayRecord.findUnique({ where: { key } }))) !==
      null,
  };
}
