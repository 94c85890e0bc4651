import { randomBytes } from 'node:crypto';
import { array, string, tuple } from 'valibot';
import type { ListedClients } from '../../domain/client-registration.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { inDialects, jsonRows, jsonTexts } from './dialect.ts';
import { jsonColumn, type Place } from './json-column.ts';

const readPairs = jsonColumn(array(tuple([string(), string()])));

/** Reads the column `listed_clients`. If it is null, the names stand for no registration. */
export function readListed(text: string | null, place: Place): ListedClients {
  return new Map(text === null ? [] : readPairs(text, place));
}

/** Writes the column `listed_clients`. */
export function writeListed(listed: ListedClients): string {
  return JSON.stringify([...listed]);
}

/** Knows which registration each name stands for. */
export interface ClientIdentities {
  /**
   * The current registrations; for an unused name, the id that its next registration will get.
   * Throws StoreUnavailable.
   */
  reserve(names: readonly string[]): Promise<ListedClients>;
  /** The current registrations, without deleted ones. Throws StoreUnavailable. */
  current(names: readonly string[]): Promise<ListedClients>;
}

const insert = inDialects(
  (kind) =>
    `insert into client_identity (client_id, registration_id) select name, id from ${jsonRows[kind]('name text, id text')} where true on conflict do nothing`,
);
const select = inDialects(
  (kind) =>
    `select client_id, registration_id from client_identity where client_id in (${jsonTexts[kind]})`,
);

/** Identities in the database. */
export function clientIdentities(database: Database, kind: DatabaseKind): ClientIdentities {
  const current = async (names: readonly string[]): Promise<ListedClients> => {
    if (names.length === 0) return new Map();
    const rows = await orStoreUnavailable(() =>
      database.$queryRawUnsafe<{ readonly client_id: string; readonly registration_id: string }[]>(
        select[kind],
        JSON.stringify(names),
      ),
    );
    return new Map(rows.map(({ client_id, registration_id }) => [client_id, registration_id]));
  };
  return {
    current,
    async reserve(names) {
      // The same order everywhere, so that two lists with the same names cannot deadlock.
      const rows = [...new Set(names)]
        .sort()
        .map((name) => ({ name, id: randomBytes(16).toString('hex') }));
      if (rows.length > 0)
        await orStoreUnavailable(() =>
          database.$executeRawUnsafe(insert[kind], JSON.stringify(rows)),
        );
      return current(rows.map(({ name }) => name));
    },
  };
}

/** The names of a list whose registrations still exist. */
export function stillThere(
  list: readonly string[],
  listed: ListedClients,
  current: ListedClients,
): readonly string[] {
  return list.filter((name) => listed.has(name) && listed.get(name) === current.get(name));
}
