import { randomBytes } from 'node:crypto';
import { CorruptRow } from '../../domain/oauth-error.ts';
import { timePrefix } from '../../domain/time-ordered-id.ts';
import type { StatusEntry, StatusListStore } from '../../ports/status-list-store.ts';
import { listSize } from '../../protocol/status-list/encode-status-list.ts';
import { batched } from '../connection/batched.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { clockMargin, type DatabaseSeconds } from '../connection/database-time.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { readResourceServerMetadata } from './columns.ts';
import { contains, inDialects } from './dialect.ts';
import { statusEntry } from './issuance-detail.ts';
import { intact } from './json-column.ts';
import { lateRevocations } from './late-revocations.ts';

/** Rows per statement, few enough for its time limit. */
const page = 20_000;

interface EntryRow {
  readonly id: string;
  readonly detail: string | null;
}

const revoked = `select r.jti as id, e.detail from revoked_token r join audit_event e on e.id = r.jti where r.jti > $1 and r.expires_at > $2 order by r.jti limit ${page}`;

/** Tokens whose exchanges one statement looks up. */
const sourcesAtOnce = 2000;

const statements = inDialects((kind) => {
  const given =
    kind === 'sqlite'
      ? '(select value as id from json_each($1)) as given'
      : 'jsonb_array_elements_text($1::jsonb) as given(id)';
  const of = (column: string, and = '') =>
    `select e.* from ${given} join audit_event e on e.${column} = given.id where e.id > $2${and}`;
  // Expired tokens count only as sources; SQLite numbers parameters in their order.
  const tokens = (found: string) =>
    `with e as (${found}) select id, case when token_expires_at > $3 and ${contains(kind, 'detail', '"status"')} then detail end as detail from e order by id limit ${page}`;
  return {
    // Searches the text, as this server writes it: a cast would fail for all if one row is damaged.
    disabled: `select client_id from client where ${contains(kind, 'metadata', '"disabled":true')}`,
    /** Of clients, whose names are the first parameter; the last are as in `revoked`. */
    issued: tokens(of('client_id', " and e.type = 'token_issued'")),
    /** For tokens, whose ids are the first parameter. */
    exchanged: tokens(`${of('source')} union ${of('actor_source')}`),
  };
});

/**
 * Token status lists in the database. Inactive tokens are derived from the records that
 * introspection uses, not from a second record. `tokenLifetime` in seconds.
 */
export function sqlStatusLists(
  database: Database,
  kind: DatabaseKind,
  tokenLifetime: number,
  seconds: DatabaseSeconds,
): StatusListStore {
  const sweep = lateRevocations(database, kind, tokenLifetime);
  const exists = batched<string, boolean>(async (ids) => {
    const found = await orStoreUnavailable(() =>
      database.statusList.findMany({ where: { id: { in: [...ids] } }, select: { id: true } }),
    );
    return ids.map((id) => found.some((list) => list.id === id));
  });
  return {
    exists,
    reserve: (resourceServerId, kid, count, expiresAt) =>
      orStoreUnavailable(() => reserve(database, resourceServerId, kid, count, BigInt(expiresAt))),
    lists: () =>
      orStoreUnavailable(async () => activeLists(database, (await seconds()) - clockMargin)),
    async inactive() {
      const now = await seconds();
      await sweep(now);
      // A resource server whose clock is behind still accepts what has just expired here.
      const at = now - clockMargin;
      return [
        ...entriesOf((await allRows(database, revoked, '', at)).map(({ detail }) => detail)),
        ...(await ofDisabled(database, kind, at, tokenLifetime)),
      ];
    },
  };
}

/**
 * The tokens of disabled clients, and what came of them by exchange: step by step, because one
 * statement for hundreds of thousands exceeds its time limit.
 */
async function ofDisabled(
  database: Database,
  kind: DatabaseKind,
  at: number,
  tokenLifetime: number,
): Promise<readonly StatusEntry[]> {
  const { disabled, issued, exchanged } = statements[kind];
  const clients = await orStoreUnavailable(() =>
    database.$queryRawUnsafe<readonly { readonly client_id: string }[]>(disabled),
  );
  if (clients.length === 0) return [];
  const names = JSON.stringify(clients.map(({ client_id }) => client_id));
  const alive = timePrefix((at - tokenLifetime) * 1000);
  const found = new Map<string, string | null>();
  let added = await allRows(database, issued, alive, at, names);
  while (added.length > 0) {
    const sources = added.map(({ id }) => id).filter((id) => !found.has(id));
    for (const { id, detail } of added) found.set(id, detail);
    added = [];
    for (let from = 0; from < sources.length; from += sourcesAtOnce) {
      const some = JSON.stringify(sources.slice(from, from + sourcesAtOnce));
      added = added.concat(await allRows(database, exchanged, '', at, some));
    }
  }
  return entriesOf([...found.values()]);
}

const entriesOf = (details: readonly (string | null)[]): readonly StatusEntry[] =>
  details.map(statusEntry).filter((entry) => entry !== undefined);

/** All rows of a paged statement. */
async function allRows(
  database: Database,
  statement: string,
  first: string,
  at: number,
  ...before: readonly string[]
): Promise<EntryRow[]> {
  const found: EntryRow[] = [];
  for (let from = first; ; ) {
    const start = from;
    const rows = await orStoreUnavailable(() =>
      database.$queryRawUnsafe<EntryRow[]>(statement, ...before, start, BigInt(at)),
    );
    found.push(...rows);
    from = rows.at(-1)?.id ?? '';
    if (rows.length < page) return found;
  }
}

async function reserve(
  database: Database,
  resourceServerId: string,
  kid: string,
  count: number,
  end: bigint,
) {
  const [taken] = await database.$queryRaw<
    { readonly id: string; readonly next_index: number | bigint }[]
  >`update token_status_list set next_index = next_index + ${count}, expires_at = case when expires_at < ${end} then ${end} else expires_at end where id = (select id from token_status_list where resource_server_id = ${resourceServerId} and kid = ${kid} and next_index + ${count} <= ${listSize} limit 1) and next_index + ${count} <= ${listSize} returning id, next_index`;
  if (taken !== undefined) return { list: taken.id, first: Number(taken.next_index) - count };
  // Two replicas may each begin a list; both get filled.
  const list = randomBytes(16).toString('base64url');
  await database.statusList.create({
    data: { id: list, resourceServerId, kid, nextIndex: count, expiresAt: end },
  });
  return { list, first: 0 };
}

interface ListRow {
  readonly id: string;
  readonly server: string;
  readonly metadata: string;
  readonly compromised: unknown;
}

async function activeLists(database: Database, at: number) {
  const rows = await database.$queryRaw<
    ListRow[]
  >`select l.id, r.id as server, r.metadata, k.revoked_at is not null as compromised from token_status_list l join resource_server r on r.id = l.resource_server_id left join signing_key k on k.kid = l.kid where l.expires_at > ${BigInt(at)}`;
  return rows.map(({ id, server, metadata, compromised }) => {
    const read = intact(() =>
      readResourceServerMetadata(metadata, { table: 'resource_server', key: server }),
    );
    if (read instanceof CorruptRow) return { id, damaged: read };
    const alg = read.access_token_signing_alg;
    return { id, alg, compromised: Boolean(Number(compromised)) };
  });
}
