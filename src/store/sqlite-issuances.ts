import SqliteDatabase from 'libsql';
import { databaseFile } from './adapters.ts';
import { sqlitePragmas } from './database.ts';
import type { CommitBatch } from './issuances.ts';
import { insertEvents } from './sql-audit.ts';
import { insertUses } from './sql-replay.ts';

/**
 * Uses and records in one transaction, whose end is the one wait for the disk, on a connection of its own with prepared statements
 * (docs/decisions/0008-the-write-of-an-issuance.md). A transaction starts and ends within one call, so it never waits for the other connection.
 */
export function sqliteIssuances(url: string): { readonly commitBatch: CommitBatch; close(): void } {
  const database = new SqliteDatabase(databaseFile(url));
  for (const pragma of sqlitePragmas) database.exec(`pragma ${pragma}`);
  const [markUsed, record] = [database.prepare(insertUses.sqlite), database.prepare(insertEvents.sqlite)];
  const commitAll = database.transaction((uses: Parameters<CommitBatch>[0], issuances: Parameters<CommitBatch>[1]): readonly string[] => {
    const inserted = (uses.length === 0 ? [] : markUsed.all(JSON.stringify(uses))) as readonly { readonly key: string }[];
    const keys = new Set(inserted.map(({ key }) => key));
    const rows = issuances.filter((issuance) => issuance.uses.every((key) => keys.has(key))).map(({ row }) => row);
    if (rows.length > 0) record.run(JSON.stringify(rows));
    return [...keys];
  });
  return {
    commitBatch: async (uses, issuances) => commitAll.immediate(uses, issuances),
    close: () => void database.close(),
  };
}
