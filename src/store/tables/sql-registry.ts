import type { ListedClients } from '../../domain/client-registration.ts';
import type { ListQuery, RegistrationChange, Registry, Stored } from '../../ports/registry.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import type { Step } from '../connection/transaction.ts';
import { type ClientIdentities, writeListed } from './client-identities.ts';
import { intactPage, type RegistrationRow, stored } from './stored.ts';

type Columns = Readonly<Record<string, string | number>>;

/** A table of registrations. */
export interface RegistrationTable<Value, Row extends RegistrationRow> {
  readonly table: string;
  /** The column of the identifier. */
  readonly key: 'id' | 'client_id';
  readonly idOf: (value: Value) => string;
  readonly find: (id: string) => Promise<Row | null>;
  readonly page: (query: ListQuery) => Promise<readonly Row[]>;
  readonly rowId: (row: Row) => string;
  readonly read: (row: Row) => Value;
  /** Its own columns. */
  readonly columns: (value: Value) => Columns;
  /** Absent if it names no clients. */
  readonly naming?: Naming<Value>;
  /** Columns that differ for a later registration with its name, whose versions restart. */
  readonly same?: (found: Value) => Columns;
  /** SQL for what must exist when a row is created; `$1` is the value. */
  readonly needs?: { readonly sql: string; readonly of: (value: Value) => string };
  /** Steps for other tables when a row changes. */
  readonly following?: (value: Value, change: RegistrationChange) => Promise<readonly Step[]>;
  /** All steps of a removal. Default: the deletion of the row. */
  readonly removal?: (id: string, deletion: Step) => Promise<readonly Step[]>;
}

/** For tables whose key is `id`, both in the row and in the value. */
export const byId = {
  key: 'id' as const,
  idOf: ({ id }: { readonly id: string }) => id,
  rowId: ({ id }: { readonly id: string }) => id,
};

/**
 * How registrations name clients. A name keeps the registration that it stood for when it was
 * written, so reading and writing back re-appoints nobody.
 */
export interface Naming<Value> {
  readonly identities: ClientIdentities;
  /** The clients that it names, and the registrations that these stood for. */
  readonly names: (value: Value) => readonly string[];
  readonly listed: (value: Value) => ListedClients;
  /** The value as the operator sees it: deleted clients are left out, or the name is empty. */
  readonly shown: (value: Value, current: ListedClients) => Value;
}

/** Registrations in a table. */
export function sqlRegistry<Value, Row extends RegistrationRow>(
  of: RegistrationTable<Value, Row>,
  change: AuditedTransaction,
): Registry<Value> {
  const { table, key, idOf, find, page, rowId, read, columns, naming } = of;
  const shown = async (rows: readonly Row[]): Promise<readonly Stored<Value>[]> => {
    const found = rows.map((row) => stored(row, read(row)));
    if (naming === undefined) return found;
    const names = new Set(found.flatMap(({ value }) => naming.names(value)));
    const current = await naming.identities.current([...names]);
    return found.map((one) => ({ ...one, value: naming.shown(one.value, current) }));
  };
  const written = async (value: Value, before?: Value): Promise<Columns> => ({
    ...columns(value),
    ...(naming !== undefined && { listed_clients: await listedIn(naming, value, before) }),
  });
  const identity = ({ version, value }: Stored<Value>) => ({ version, ...of.same?.(value) });
  const unchanged = async (id: string) =>
    (await find(id)) === null ? 'not_found' : 'version_mismatch';
  return {
    async create(value, { at, event, managedBy }) {
      const row = {
        [key]: idOf(value),
        ...(await written(value)),
        version: 1,
        created_at: at,
        updated_at: at,
        ...(managedBy !== undefined && { managed_by: managedBy }),
      };
      const made = await change([insertion(table, row, of.needs, value)], event);
      return made ? { value, version: 1, createdAt: at, updatedAt: at } : 'conflict';
    },
    async get(id) {
      const row = await find(id);
      return row === null ? undefined : (await shown([row]))[0];
    },
    list: async (query) => shown(await page(query)),
    listIntact: async (query) => intactPage(await page(query), query.limit, rowId, read),
    async replace(value, found, changed) {
      const { version, createdAt, value: before } = found;
      const { at, event } = changed;
      const set = { ...(await written(value, before)), version: version + 1, updated_at: at };
      const which = { [key]: idOf(value), ...identity(found) };
      const conditions = equal(which, Object.keys(set).length).join(' and ');
      const sql = `update ${table} set ${equal(set).join()} where ${conditions}`;
      const update = { sql, values: [...Object.values(set), ...Object.values(which)] };
      const following = (await of.following?.(value, changed)) ?? [];
      if (await change([update, ...following], event))
        return { value, version: version + 1, createdAt, updatedAt: at };
      return unchanged(idOf(value));
    },
    async remove(id, { event }, found) {
      // Checks the parent, because the id alone would match in other places too.
      if ((await find(id)) === null) return 'not_found';
      const which = { [key]: id, ...(found && identity(found)) };
      const sql = `delete from ${table} where ${equal(which).join(' and ')}`;
      const deletion = { sql, values: Object.values(which) };
      const steps = (await of.removal?.(id, deletion)) ?? [deletion];
      return (await change(steps, event)) ? 'removed' : unchanged(id);
    },
  };
}

function insertion<Value>(
  table: string,
  row: Columns,
  needs: RegistrationTable<Value, never>['needs'],
  value: Value,
): Step {
  const marks = Object.keys(row).map((_, index) => `$${index + 1}`);
  const where = needs?.sql.replace('$1', `$${marks.length + 1}`) ?? 'true';
  const sql = `insert into ${table} (${Object.keys(row).join()}) select ${marks.join()} where ${where} on conflict do nothing`;
  return {
    sql,
    values: [...Object.values(row), ...(needs === undefined ? [] : [needs.of(value)])],
  };
}

/** `a = $1` for each column; these parameters follow others. */
function equal(columns: Columns, after = 0): readonly string[] {
  return Object.keys(columns).map((name, index) => `${name} = $${after + index + 1}`);
}

/** Keeps the registrations already listed; a client deleted and registered again is not kept. */
async function listedIn<Value>(
  { identities, names, listed }: Naming<Value>,
  value: Value,
  before: Value | undefined,
): Promise<string> {
  const stay = new Set(before === undefined ? [] : names(before));
  const added = await identities.reserve(names(value).filter((name) => !stay.has(name)));
  const kept = before === undefined ? [] : [...listed(before)].filter(([name]) => stay.has(name));
  return writeListed(new Map([...kept, ...added]));
}
