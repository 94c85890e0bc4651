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
import { authorityGone, holderWithdrew, pairingRevoked, statusEntry } from './issuance-detail.ts';
import { intact } from './json-column.ts';
import { lateDerived } from './revocation-steps.ts';
import { hourByMinutes, spans } from './spans.ts';

/** Rows per statement, few enough for its time limit. */
const page = 20_000;

/** Seconds by which two sweeps overlap, to cover issuances in progress and slow clocks. */
const overlap = 120;

interface EntryRow {
  readonly id: string;
  readonly detail: string | null;
}

const revoked = `select r.jti as id, e.detail from revoked_token r join audit_event e on e.id = r.jti where r.jti > $1 and r.expires_at > $2 order by r.jti limit ${page}`;

/** Of disabled clients, whose names are the first parameter; the last are as in `revoked`. */
const statements = inDialects((kind) => {
  const named = `client_id in (${kind === 'sqlite' ? 'select value from json_each($1)' : 'select jsonb_array_elements_text($1::jsonb)'})`;
  const row = 'e.id, e.detail, e.token_expires_at';
  return {
    // Searches the text, as this server writes it: a cast would fail for all if one row is damaged.
    disabled: `select client_id from client where ${contains(kind, 'metadata', '"disabled":true')}`,
    issued: `select id, detail from audit_event where ${named} and id > $2 and type = 'token_issued' and token_expires_at > $3 order by id limit ${page}`,
    /** Its second parameter is the oldest id of a live token. */
    derived: `with recursive derived(id, detail, expires_at) as (select ${row} from audit_event s join audit_event e on e.source = s.id or e.actor_source = s.id where s.${named} and s.id > $2 and s.type = 'token_issued' union select ${row} from derived d join audit_event e on e.source = d.id or e.actor_source = d.id) select id, detail from derived where ${contains(kind, 'detail', '"status"')} and id > $3 and expires_at > $4 order by id limit ${page}`,
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
  const sweep = sweeper(database, kind, tokenLifetime);
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
        ...(await entries(database, revoked, '', at)),
        ...(await ofDisabled(database, kind, at, tokenLifetime)),
      ];
    },
  };
}

/**
 * Revokes what another replica issued just as its client, trusted issuer or rule was deleted or its
 * pairing revoked. The first sweep also finishes the work of a process that died.
 */
function sweeper(database: Database, kind: DatabaseKind, tokenLifetime: number) {
  const late = `insert into revoked_token (jti, expires_at) select e.id, e.token_expires_at from audit_event e left join client c on c.client_id = e.client_id and (e.registration_id is null or c.registration_id = e.registration_id) where e.id > $1 and e.type = 'token_issued' and e.token_expires_at > $2 and e.id < $3 and ((c.client_id is null and e.client_id not like 'urn:holdfast:rule:%') or ${pairingRevoked(kind)} or ${authorityGone} or ${holderWithdrew}) on conflict do nothing`;
  let sweptAt: number | undefined;
  return async (at: number): Promise<void> => {
    const first = Math.max((sweptAt ?? 0) - overlap, at - tokenLifetime);
    for (const [start, end] of spans(first, at + overlap, { byMinuteFrom: at - hourByMinutes }))
      await orStoreUnavailable(async () => {
        await database.$executeRawUnsafe(late, start, BigInt(at), end);
        // Also revokes what came of those, or of any other revoked token.
        await database.$executeRawUnsafe(lateDerived, start, end, BigInt(at));
      });
    sweptAt = at;
  };
}

/** The tokens of disabled clients, and what came of them by exchange. */
async function ofDisabled(
  database: Database,
  kind: DatabaseKind,
  at: number,
  tokenLifetime: number,
): Promise<readonly StatusEntry[]> {
  const { disabled, issued, derived } = statements[kind];
  const clients = await orStoreUnavailable(() =>
    database.$queryRawUnsafe<readonly { readonly client_id: string }[]>(disabled),
  );
  if (clients.length === 0) return [];
  const names = JSON.stringify(clients.map(({ client_id }) => client_id));
  const alive = timePrefix((at - tokenLifetime) * 1000);
  return [
    ...(await entries(database, issued, alive, at, names)),
    ...(await entries(database, derived, alive, at, names, alive)),
  ];
}

async function entries(
  database: Database,
  statement: string,
  first: string,
  at: number,
  ...before: readonly string[]
): Promise<readonly StatusEntry[]> {
  const found: StatusEntry[] = [];
  for (let from = first; ; ) {
    const start = from;
    const rows = await orStoreUnavailable(() =>
      database.$queryRawUnsafe<EntryRow[]>(statement, ...before, start, BigInt(at)),
    );
    for (const { detail } of rows)
      found.push(...[statusEntry(detail)].filter((entry) => entry !== undefined));
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
