import type { ListedClients } from '../../domain/client-registration.ts';
import type { ListQuery, Registry, Stored } from '../../ports/registry.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import type { Step } from '../connection/transaction.ts';
import { type ClientIdentities, writeListed } from './client-identities.ts';
import { deletion, intactPage, type RegistrationRow, stored } from './stored.ts';

interface Row extends RegistrationRow {
  readonly id: string;
}

interface Listing {
  readonly id: string;
  readonly listed: ListedClients;
}

/** A table of registrations that name clients. */
export interface ListedTable<Value extends Listing, Found extends Row> {
  readonly table: 'trusted_issuer' | 'trust_rule' | 'authorization_server';
  readonly find: (id: string) => Promise<Found | null>;
  readonly page: (query: ListQuery) => Promise<readonly Found[]>;
  readonly read: (row: Found) => Value;
  /** Columns besides those that every registration has. */
  readonly columns: (value: Value) => Readonly<Record<string, string | number>>;
  /** The clients that it names. */
  readonly names: (value: Value) => readonly string[];
  /** The value as the operator sees it: no deleted client is in it, or the name means nobody. */
  readonly shown: (value: Value, current: ListedClients) => Value;
  /** SQL for what must exist when a row is made; `$1` is the value. */
  readonly needs?: { readonly sql: string; readonly of: (value: Value) => string };
  /** Steps for other tables when a row is removed. */
  readonly removal: (id: string) => Promise<readonly Step[]>;
}

/**
 * Registrations in a table that name clients. A name stands for the registration that it stood for
 * when it was written, so reading and writing back re-appoints nobody.
 */
export function listedRegistry<Value extends Listing, Found extends Row>(
  of: ListedTable<Value, Found>,
  identities: ClientIdentities,
  change: AuditedTransaction,
): Registry<Value> {
  const { table, find, page, read, columns, names } = of;
  const shown = async (rows: readonly Found[]): Promise<readonly Stored<Value>[]> => {
    const values = rows.map((row) => stored(row, read(row)));
    const current = await identities.current([
      ...new Set(values.flatMap((one) => names(one.value))),
    ]);
    return values.map((one) => ({ ...one, value: of.shown(one.value, current) }));
  };
  const written = (value: Value, listed: ListedClients) => rowOf(value, columns(value), listed);
  const unchanged = async (id: string) =>
    (await find(id)) === null ? 'not_found' : 'version_mismatch';
  return {
    async create(value, { at, event, managedBy }) {
      const row = {
        id: value.id,
        ...written(value, await identities.reserve(names(value))),
        version: 1,
        created_at: at,
        updated_at: at,
        ...(managedBy !== undefined && { managed_by: managedBy }),
      };
      const values = Object.values(row);
      const marks = values.map((_, index) => `$${index + 1}`);
      const needed = of.needs?.of(value);
      const where =
        of.needs === undefined ? 'true' : of.needs.sql.replace('$1', `$${marks.length + 1}`);
      const sql = `insert into ${table} (${Object.keys(row).join()}) select ${marks.join()} where ${where} on conflict do nothing`;
      const step = { sql, values: needed === undefined ? values : [...values, needed] };
      const made = await change([step], event);
      return made ? { value, version: 1, createdAt: at, updatedAt: at } : 'conflict';
    },
    async get(id) {
      const row = await find(id);
      return row === null ? undefined : (await shown([row]))[0];
    },
    list: async (query) => shown(await page(query)),
    listIntact: async (query) => intactPage(await page(query), query.limit, ({ id }) => id, read),
    async replace(value, { version, createdAt, value: before }, { at, event }) {
      // Who stays is who was there: a client deleted and registered anew since then is not.
      const stay = new Set(names(before));
      const added = await identities.reserve(names(value).filter((name) => !stay.has(name)));
      const kept = [...before.listed].filter(([name]) => stay.has(name));
      const set = {
        ...written(value, new Map([...kept, ...added])),
        version: version + 1,
        updated_at: at,
      };
      const assignments = Object.keys(set).map((name, index) => `${name} = $${index + 1}`);
      const values = [...Object.values(set), value.id, version];
      const sql = `update ${table} set ${assignments.join()} where id = $${values.length - 1} and version = $${values.length}`;
      if (await change([{ sql, values }], event))
        return { value, version: version + 1, createdAt, updatedAt: at };
      return unchanged(value.id);
    },
    async remove(id, { event }, version) {
      // By its own parent only: an id alone would do elsewhere too.
      if ((await find(id)) === null) return 'not_found';
      const steps = [deletion(table, 'id', id, version), ...(await of.removal(id))];
      return (await change(steps, event)) ? 'removed' : unchanged(id);
    },
  };
}

function rowOf(
  { id: _, listed: __, ...members }: Listing,
  columns: Readonly<Record<string, string | number>>,
  listed: ListedClients,
): Readonly<Record<string, string | number>> {
  const metadata = Object.entries(members).filter(([name]) => !Object.hasOwn(columns, name));
  return {
    ...columns,
    metadata: JSON.stringify(Object.fromEntries(metadata)),
    listed_clients: writeListed(listed),
  };
}
