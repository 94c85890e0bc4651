import { array, boolean, exactOptional, integer, minValue, number, pipe, string } from 'valibot';
import { adminAudience } from '../../domain/admin-access.ts';
import { CorruptRow } from '../../domain/oauth-error.ts';
import type { StatusEntry } from '../../ports/status-list-store.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { contains, position } from './dialect.ts';
import { intact, jsonColumn, object } from './json-column.ts';

const paired = object({
  client_id: string(),
  pairing: string(),
  evidence: exactOptional(string()),
});

/** Reads the `detail` of an issuance. Throws CorruptRow. */
export const readIssuanceDetail = jsonColumn(
  object({
    of_user: exactOptional(boolean()),
    of_workload: exactOptional(boolean()),
    audiences: exactOptional(array(string())),
    pairings: exactOptional(array(string())),
    holders: exactOptional(array(paired)),
    may_act: exactOptional(array(paired)),
  }),
);

const readStatus = jsonColumn(
  object({ status: object({ list: string(), idx: pipe(number(), integer(), minValue(0)) }) }),
);

/** The token's place on a status list; undefined if the row has none or is damaged. */
export function statusEntry(detail: string | null): StatusEntry | undefined {
  if (detail === null) return undefined;
  const read = intact(() => readStatus(detail, { table: 'audit_event', key: '' }));
  return read instanceof CorruptRow ? undefined : read.status;
}

/** SQL for `e.detail` as JSON, or null without an error if the text is not JSON. */
const json: Readonly<Record<DatabaseKind, string>> = {
  sqlite: 'case when json_valid(e.detail) then e.detail end',
  postgresql: 'json_or_null(e.detail)',
};

/** SQL for "the database cannot read `e.detail`". */
export const unreadable = (kind: DatabaseKind): string =>
  `(e.detail is not null and ${json[kind]} is null)`;

/** SQL for the pairings `p`, left joined, under which `e` was exchanged. */
const pairingsOf: Readonly<Record<DatabaseKind, string>> = {
  sqlite: `json_each(${json.sqlite}, '$.pairings') x left join pairing p on p.consent = x.value`,
  postgresql: `jsonb_path_query(${json.postgresql}, '$.pairings[*]') x(value) left join pairing p on p.consent = x.value #>> '{}'`,
};

const hasPairings = (kind: DatabaseKind): string => contains(kind, 'e.detail', '"pairings"');

/** SQL for "the issuance `e` was exchanged under a pairing `p` with `which` true". */
export const exchangedUnder = (kind: DatabaseKind, which: string): string =>
  `${hasPairings(kind)} and exists (select 1 from ${pairingsOf[kind]} where ${which})`;

/** SQL for "a pairing under which `e` was exchanged is no longer in force, or cannot be read". */
export const pairingRevoked = (kind: DatabaseKind): string =>
  `(coalesce(${hasPairings(kind)}, false) and (${json[kind]} is null or exists (select 1 from ${pairingsOf[kind]} where p.id is null or p.revoked_at is not null)))`;

/** SQL for the additional holders of `e`: a source of rows `h` and their columns. */
export const holders: Readonly<
  Record<DatabaseKind, { readonly rows: string; readonly clientId: string; readonly jkt: string }>
> = {
  sqlite: {
    rows: `json_each(${json.sqlite}, '$.holders') h`,
    clientId: memberOfObject('client_id'),
    jkt: memberOfObject('jkt'),
  },
  postgresql: {
    rows: `jsonb_path_query(${json.postgresql}, '$.holders[*]') h(value)`,
    clientId: "h.value->>'client_id'",
    jkt: "h.value->>'jkt'",
  },
};

/** SQLite reads any other value as JSON text and fails. */
function memberOfObject(name: string): string {
  return `case when h.type = 'object' then h.value->>'${name}' end`;
}

/** SQL for "the client of `e` withdrew, as a holder, from the token that `e` was exchanged for". */
export const holderWithdrew =
  '(e.source is not null and exists (select 1 from withdrawn_holder w where w.jti = e.source and w.client_id = e.client_id))';

/** SQL for "the trusted issuer or rule that vouched for `e` has been removed". */
export const authorityGone = `(${['client', 'grant']
  .map((whose) => `e.${whose}_authority`)
  .map(
    (id) =>
      `${id} is not null and not exists (select 1 from trust_rule t where t.id = ${id}) and not exists (select 1 from trusted_issuer t where t.id = ${id})`,
  )
  .join(' or ')})`;

/** SQL for "the resource server of an issuance was removed"; the admin API cannot be. */
const serverGone = (of: string): string =>
  `(${of}.resource_server_id is not null and ${of}.resource_server_id <> '${adminAudience}' and not exists (select 1 from resource_server r where r.id = ${of}.resource_server_id))`;

/** SQL for "the resource server of a token that `e` was exchanged for has been removed". */
export const sourceServerGone = `(e.source is not null and exists (select 1 from audit_event s where s.id in (e.source, e.actor_source) and ${serverGone('s')}))`;

/** SQL for "a token that `e` was exchanged for is signed by a key that was revoked". */
const sourceKeyRevoked = (kind: DatabaseKind): string =>
  `(e.source is not null and exists (select 1 from signing_key k where k.revoked_at is not null and ${position[kind]}(e.detail, k.kid) > 0))`;

/**
 * SQL for "what `e` rests on is gone": an authority, its resource server, or the signing key of a
 * token that it was exchanged for.
 */
export const basisGone = (kind: DatabaseKind): string =>
  `(${authorityGone} or ${serverGone('e')} or ${sourceKeyRevoked(kind)})`;
