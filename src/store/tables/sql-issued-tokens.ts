import { hash } from 'node:crypto';
import { commonAudiences } from '../../domain/audience-limit.ts';
import type { ClientRegistration } from '../../domain/client-registration.ts';
import { heldBytes } from '../../domain/held-bytes.ts';
import { CorruptRow } from '../../domain/oauth-error.ts';
import { isRuleClientId, ruleClient } from '../../domain/trust-rule.ts';
import { boundedCache } from '../../jose/bounded-cache.ts';
import type { IssuedTokens, PairedAtIssuance, TokenState } from '../../ports/issued-tokens.ts';
import { batched } from '../connection/batched.ts';
import { orStoreUnavailable } from '../connection/database.ts';
import { clockMargin } from '../connection/database-time.ts';
import { prepared } from '../connection/prepared-statements.ts';
import type { SqlStore } from '../connection/sql-store.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { adminsOfKey } from './admins-of-key.ts';
import { readListed } from './client-identities.ts';
import { readClientMetadata } from './columns.ts';
import { jsonTexts } from './dialect.ts';
import {
  basisGone,
  holderWithdrew,
  pairingRevoked,
  readIssuanceDetail,
  unreadable,
} from './issuance-detail.ts';
import {
  revokeDerived,
  revokeDerivedFrom,
  revokeTokensOf,
  withdrawHolderKey,
} from './revocation-steps.ts';

interface PairedClient {
  readonly client_id: string;
  readonly pairing: string;
  readonly evidence?: string;
}

interface StateRow {
  /** The requested token; it and each of its sources have one row. */
  readonly token: string;
  /** The number of exchanges from this row to the requested token. */
  readonly depth: number | bigint;
  readonly id: string;
  readonly source: string | null;
  readonly actor_source: string | null;
  readonly issued_to: string | null;
  readonly issued_client: string | null;
  readonly resource_server_id: string | null;
  readonly jkt: string | null;
  readonly evidence: string | null;
  readonly revoked: string | null;
  readonly client_id: string | null;
  readonly registration_id: string | null;
  readonly listed_clients: string | null;
  readonly metadata: string | null;
  readonly revoked_kids: string | null;
  readonly detail: string | null;
  /** True: the database cannot read `detail`. */
  readonly unreadable: unknown;
  readonly pairing_revoked: unknown;
  readonly basis_gone: unknown;
  readonly holder_withdrew: unknown;
}

const listed: Readonly<Record<DatabaseKind, string>> = {
  sqlite: 'group_concat(kid)',
  postgresql: "string_agg(kid, ',')",
};

/** Maximum exchanges to follow back, more than `grant/subject-access-token.ts` allows. */
const maxDepth = 64;

const readState = (kind: DatabaseKind): string =>
  prepared(
    `with recursive chain(token, depth, id) as (select id, 0, id from audit_event where id in (${jsonTexts[kind]}) union all select chain.token, chain.depth + 1, e.source from chain join audit_event e on e.id = chain.id where e.source is not null and chain.depth < ${maxDepth}) select chain.token, chain.depth, e.id, e.source, e.actor_source, e.registration_id as issued_to, e.client_id as issued_client, e.resource_server_id, e.detail, ${unreadable(kind)} as unreadable, ${pairingRevoked(kind)} as pairing_revoked, ${basisGone(kind)} as basis_gone, ${holderWithdrew} as holder_withdrew, e.jkt, e.evidence, r.jti as revoked, c.client_id, c.registration_id, c.listed_clients, c.metadata, (select ${listed[kind]} from signing_key where revoked_at is not null) as revoked_kids from chain join audit_event e on e.id = chain.id and e.type = 'token_issued' left join revoked_token r on r.jti = e.id left join client c on c.client_id = e.client_id and (e.registration_id is null or c.registration_id = e.registration_id) order by chain.depth`,
  );

/** Issued and revoked tokens in the database. */
export function sqlIssuedTokens({ database, kind, change, seconds }: SqlStore): IssuedTokens {
  const readClient = clientReader();
  const statement = readState(kind);
  const stateRows = batched<string, readonly StateRow[]>(async (jtis) => {
    const rows = await orStoreUnavailable(() =>
      database.$queryRawUnsafe<StateRow[]>(statement, JSON.stringify(jtis)),
    );
    const byToken = Map.groupBy(rows, ({ token }) => token);
    return jtis.map((jti) => byToken.get(jti) ?? []);
  });
  return {
    // Read after the batch, so that a damaged row fails only for its own caller.
    async state(jti) {
      const rows = await stateRows(jti);
      const actors = rows.map(({ actor_source }) => actor_source).filter((id) => id !== null);
      const ofActors = await Promise.all(
        actors.map(async (id) => [id, await stateRows(id)] as const),
      );
      return toState(rows, readClient, new Map(ofActors));
    },
    async revoke(jti, expiresAt, event) {
      // Uses the recorded expiry, if there is one, because the caller's clock may be behind.
      const sql =
        'insert into revoked_token (jti, expires_at) values ($1, coalesce((select token_expires_at from audit_event where id = $2), cast($3 as bigint))) on conflict do nothing';
      const revocation = { sql, values: [jti, jti, expiresAt], rows: 'any' } as const;
      await change([revocation, revokeDerivedFrom(jti)], event);
    },
    adminsOfKey: adminsOfKey(database),
    async revokeAll(of, eventOf) {
      const now = (await seconds()) - clockMargin;
      let revoked = 0;
      // An additional holder's key leaves its tokens; those of the requesters stay active
      // (docs/operations/revocation.md).
      const withdrawals = of.client_id === undefined ? withdrawHolderKey(kind, of.jkt, now) : [];
      const steps = [...withdrawals, ...revokeTokensOf(of, now), ...revokeDerived(now)];
      await change(steps, (changed) => {
        revoked = changed;
        return eventOf(revoked);
      });
      return revoked;
    },
  };
}

type ReadClient = (row: StateRow) => ClientRegistration | undefined;

/** Builds a reader that parses each client's text once, so that its keys are imported once too. */
function clientReader(): ReadClient {
  const parsed = boundedCache<ClientRegistration>(16 * 1024 * 1024);
  return ({ issued_client, issued_to, client_id, registration_id, metadata, listed_clients }) => {
    // No client is registered for it. Another column shows whether the rule still exists.
    if (issued_client !== null && isRuleClientId(issued_client) && issued_to !== null)
      return ruleClient({ id: issued_to });
    if (client_id === null || registration_id === null || metadata === null) return undefined;
    const key = hash('sha256', `${registration_id} ${listed_clients} ${metadata}`, 'base64url');
    const known = parsed.get(key);
    if (known !== undefined) return known;
    const place = { table: 'client', key: client_id };
    const client = {
      ...readClientMetadata(metadata, place),
      client_id,
      registration_id,
      listed: readListed(listed_clients, place),
      clientSecrets: [],
    };
    parsed.set(key, client, heldBytes(metadata));
    return client;
  };
}

function toState(
  [row, ...sources]: readonly StateRow[],
  readClient: ReadClient,
  actors: ReadonlyMap<string, readonly StateRow[]>,
  depth = 0,
): TokenState | undefined {
  // A gap: the record of a source token is gone.
  if (row === undefined || Number(row.depth) !== depth) return undefined;
  const place = { table: 'audit_event', key: row.id };
  if (Number(row.unreadable) === 1) throw new CorruptRow(place.table, place.key, 'detail');
  const detail = row.detail === null ? {} : readIssuanceDetail(row.detail, place);
  const source = row.source === null ? undefined : toState(sources, readClient, actors, depth + 1);
  // An actor token is never derived, so it has no actors.
  const actor =
    row.actor_source === null
      ? undefined
      : toState(actors.get(row.actor_source) ?? [], readClient, new Map());
  const gone = [row.pairing_revoked, row.basis_gone, row.holder_withdrew];
  const isLost =
    (row.source !== null && source === undefined) ||
    (row.actor_source !== null && actor === undefined);
  return {
    revoked: row.revoked !== null || gone.some((flag) => Number(flag) === 1) || isLost,
    source,
    actor,
    exchanges: source === undefined ? 0 : source.exchanges + 1,
    resourceServer: row.resource_server_id ?? undefined,
    ofUser: row.issued_to === null ? undefined : detail.of_user === true,
    ofWorkload: detail.of_workload === true,
    // A version that did not know them recorded none.
    audiences: commonAudiences(detail.audiences, source?.audiences, actor?.audiences),
    pairings: detail.pairings ?? [],
    pairedAtIssuance: new Map([...(detail.holders ?? []), ...(detail.may_act ?? [])].map(paired)),
    client: readClient(row),
    revokedKids: row.revoked_kids?.split(',') ?? [],
    evidence: row.evidence ?? undefined,
    jkt: row.jkt ?? undefined,
  };
}

function paired({
  client_id,
  pairing,
  evidence,
}: PairedClient): readonly [string, PairedAtIssuance] {
  return [client_id, { pairing, form: evidence === 'registration' ? 'registered_key' : 'proof' }];
}
