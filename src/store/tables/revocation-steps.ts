import { randomBytes } from 'node:crypto';
import { clockMargin } from '../connection/database-time.ts';
import type { Step } from '../connection/transaction.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { position } from './dialect.ts';
import { authorityGone, exchangedUnder, holders, sourceServerGone } from './issuance-detail.ts';
import { hourByMinutes, type Span, spans } from './spans.ts';

/** Removes a key from tokens. Parameters: first and last id, seconds, the thumbprint twice. */
const withdrawKey = (kind: DatabaseKind): string => {
  const { rows, clientId, jkt } = holders[kind];
  return `insert into withdrawn_holder (jti, client_id, expires_at) select e.id, ${clientId}, e.token_expires_at from audit_event e, ${rows} where e.id > $1 and e.id < $2 and e.token_expires_at > $3 and ${position[kind]}(e.detail, $4) > 0 and ${jkt} = $5 and ${clientId} is not null on conflict do nothing`;
};

const revokeIssued =
  "insert into revoked_token (jti, expires_at) select e.id, e.token_expires_at from audit_event e where e.type = 'token_issued' and e.id > $1 and e.id < $2 and e.token_expires_at > $3 and";

/**
 * Maximum lifetime in seconds of any token, and of one with additional holders, regardless of the
 * configuration when it was issued.
 */
const [longestLifetime, longestWithHolders] = [604_800, 86_400];

/**
 * Sorts after every id in every collation, so that the newest span includes every later token,
 * regardless of the clock of the replica that issued it.
 */
const end = 'w';

/**
 * Spans, newest first, of everything issued in the last `lifetime` seconds. Tokens older than a day
 * are rarely alive, and skipped by their expiry.
 */
function recentSpans(now: number, lifetime: number): readonly Span[] {
  // `now` is the database's time minus the margin, but the newest span has to be short anyway.
  const latest = now + clockMargin;
  const lengths = { hourlyUntil: now - 86_400, byMinuteFrom: now - hourByMinutes };
  return spans(now - lifetime - 600, latest, lengths)
    .toReversed()
    .map(([from, to], index) => [from, index === 0 ? end : to]);
}

/** Revokes the unexpired ones of these tokens; the last step counts. `now` in seconds. */
export function revokeTokensOf(
  of: { readonly client_id?: string; readonly jkt?: string | readonly string[] },
  now: number,
): readonly Step[] {
  const { client_id: client, jkt = [] } = of;
  const keys = [jkt].flat();
  const byKey = client === undefined ? 'jkt in ($*)' : 'client_id = $4 and jkt in ($*)';
  const which = keys.length === 0 ? 'client_id in ($*)' : byKey;
  const sql = `${revokeIssued} ${which} on conflict do nothing`;
  const clients = client === undefined ? [] : [client];
  const [values, items] = keys.length === 0 ? [[], clients] : [clients, keys];
  return recentSpans(now, longestLifetime).map((span, index) => ({
    sql,
    values: [...span, now, ...values],
    items,
    rows: 'any',
    adds: index > 0,
  }));
}

/** Removes an additional holder's key from the unexpired tokens that name it. `now` in seconds. */
export function withdrawHolderKey(kind: DatabaseKind, jkt: string, now: number): readonly Step[] {
  return recentSpans(now, longestWithHolders).map((span) => ({
    sql: withdrawKey(kind),
    values: [...span, now, jkt, jkt],
    rows: 'any',
  }));
}

/**
 * Revokes what was exchanged under the pairing with this id. `now` and `tokenLifetime`, the maximum
 * lifetime of a token, in seconds.
 */
export function revokeExchanged(
  kind: DatabaseKind,
  pairing: string,
  now: number,
  tokenLifetime: number,
): readonly Step[] {
  const sql = `${revokeIssued} ${exchangedUnder(kind, 'p.id in ($*)')} on conflict do nothing`;
  return recentSpans(now, tokenLifetime).map(([from, to]) => ({
    sql,
    values: [from, to, now],
    items: [pairing],
    rows: 'any',
  }));
}

/**
 * Revokes what a removed trusted issuer or rule vouched for, and what came of it. `now` in seconds.
 */
export function revokeWithoutAuthority(now: number): readonly Step[] {
  const sql = `${revokeIssued} ${authorityGone} on conflict do nothing`;
  return [
    ...recentSpans(now, longestLifetime).map((span): Step => {
      return { sql, values: [...span, now], rows: 'any' };
    }),
    ...revokeDerived(now),
  ];
}

/**
 * Withdraws the requester's consent to a holder: revokes what was exchanged under their pairing and
 * renews the consent id, so that other tokens, and those being issued now, refer to nothing. Both
 * by `client_id`; `now` in seconds.
 */
export function withdrawConsent(
  kind: DatabaseKind,
  requester: string,
  holder: string,
  now: number,
): readonly Step[] {
  const sql = `${revokeIssued} ${exchangedUnder(kind, 'p.requester = $4 and p.holder = $5')} on conflict do nothing`;
  const renewed = randomBytes(16).toString('base64url');
  return [
    ...recentSpans(now, longestLifetime).map(([from, to]): Step => {
      return { sql, values: [from, to, now, requester, holder], rows: 'any' };
    }),
    {
      sql: 'update pairing set consent = $1 where requester = $2 and holder = $3',
      values: [renewed, requester, holder],
      rows: 'any',
    },
  ];
}

/** Revokes the tokens that `first` finds and all that came of them by exchange. */
const revokeWithDescendants = (first: string): string =>
  `insert into revoked_token (jti, expires_at) with recursive derived(id, expires_at) as (select e.id, e.token_expires_at from audit_event e where ${first} union select e.id, e.token_expires_at from derived d join audit_event e on e.source = d.id or e.actor_source = d.id) select id, expires_at from derived where true on conflict do nothing`;

/** Revokes what came of this token by exchange. */
export function revokeDerivedFrom(jti: string): Step {
  const sql = revokeWithDescendants('e.source = $1 or e.actor_source = $2');
  return { sql, values: [jti, jti], rows: 'any' };
}

/** Revokes what this client got for the token by exchange, and what came of that. */
export function revokeDerivedBy(clientId: string, jti: string): Step {
  const sql = revokeWithDescendants('e.source = $1 and e.client_id = $2');
  return { sql, values: [jti, clientId], rows: 'any' };
}

const fromRevoked =
  'e.source is not null and exists (select 1 from revoked_token r where r.jti in (e.source, e.actor_source))';

/**
 * Revokes what was exchanged for a revoked token in a span of time, and what came of that.
 * Parameters: first and last id, time in seconds.
 */
export const lateDerived = revokeWithDescendants(
  `${fromRevoked} and e.id > $1 and e.id < $2 and e.token_expires_at > $3`,
);

/** Bounds of slices by remaining seconds of life; each stays within a statement's time limit. */
const left = [0, 300, 600, 1800, 3600, 21_600, 86_400, 10 * longestLifetime];

/**
 * Revokes what was exchanged for tokens of a resource server that an earlier step removed. Its own
 * tokens need no entry: they are inactive, and their status lists go with it. `now` in seconds.
 */
export function revokeOfRemovedServers(now: number): readonly Step[] {
  return inSlices(sourceServerGone, now).map((step) => ({ ...step, rows: 'any' }));
}

/** Revokes what came of any revoked token and adds to the previous count. `now` in seconds. */
export function revokeDerived(now: number): readonly Step[] {
  return inSlices(fromRevoked, now).map((step) => ({ ...step, rows: 'any', adds: true }));
}

/** Revokes the unexpired exchanged tokens that `which` finds, and what came of them. */
function inSlices(which: string, now: number): readonly Pick<Step, 'sql' | 'values'>[] {
  const sql = revokeWithDescendants(
    `${which} and e.token_expires_at > $1 and e.token_expires_at <= $2`,
  );
  return left.slice(1).map((until, index) => ({
    sql,
    values: [now + (left[index] ?? 0), now + until],
  }));
}
