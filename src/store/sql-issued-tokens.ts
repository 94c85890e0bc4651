import { hash } from 'node:crypto';
import type { IssuedTokens, PairedAtIssuance, TokenState } from '../audit.ts';
import type { ClientRegistration } from '../client-registration.ts';
import { heldBytes } from '../held-bytes.ts';
import { boundedCache } from '../jose/bounded-cache.ts';
import { timePrefix } from '../time-ordered-id.ts';
import type { Step } from './all-or-nothing.ts';
import { batched } from './batched.ts';
import { readClientMetadata } from './columns.ts';
import { answered, type Database } from './database.ts';
import { clockMargin, type DatabaseSeconds } from './database-time.ts';
import { prepared } from './prepared.ts';
import type { RecordedChange } from './recorded-change.ts';
import type { DatabaseKind } from './schema.ts';

interface StateRow {
  readonly id: string;
  readonly jkt: string | null;
  readonly evidence: string | null;
  readonly revoked: string | null;
  readonly client_id: string | null;
  readonly metadata: string | null;
  readonly revoked_kids: string | null;
  /** JSON text of a list of ids. */
  readonly pairings: string | null;
  readonly pairing_revoked: unknown;
  /** JSON text of a list of `{ client_id, pairing, evidence }`. */
  readonly holders: string | null;
  readonly may_act: string | null;
}

const asked: Readonly<Record<DatabaseKind, string>> = {
  sqlite: 'select value from json_each(?)',
  postgresql: 'select jsonb_array_elements_text($1::jsonb)',
};

const listed: Readonly<Record<DatabaseKind, string>> = {
  sqlite: 'group_concat(kid)',
  postgresql: "string_agg(kid, ',')",
};

/** The pairings by which a token was exchanged, and whether one of them is in force no more; a later pairing of the same two has another id. */
const pairings: Readonly<Record<DatabaseKind, string>> = {
  sqlite: `json_extract(e.detail, '$.pairings') as pairings, exists (select 1 from json_each(e.detail, '$.pairings') x left join pairing p on p.id = x.value where p.id is null or p.revoked_at is not null) as pairing_revoked`,
  postgresql: `(e.detail::jsonb->'pairings')::text as pairings, exists (select 1 from jsonb_array_elements_text(e.detail::jsonb->'pairings') x(id) left join pairing p on p.id = x.id where p.id is null or p.revoked_at is not null) as pairing_revoked`,
};

/** With whom the client of a token was paired when it was issued. */
const paired: Readonly<Record<DatabaseKind, string>> = {
  sqlite:
    "json_extract(e.detail, '$.holders') as holders, json_extract(e.detail, '$.may_act') as may_act",
  postgresql:
    "(e.detail::jsonb->'holders')::text as holders, (e.detail::jsonb->'may_act')::text as may_act",
};

/** Issuances of a span of time that were exchanged under a pairing: first and last id, time in seconds, the pairing's id as JSON. */
const exchanged: Readonly<Record<DatabaseKind, string>> = {
  sqlite: `id > $1 and id < $2 and token_expires_at > $3 and instr(detail, '"pairings"') > 0 and exists (select 1 from json_each(detail, '$.pairings') where json_quote(value) = $4)`,
  postgresql: `id > $1 and id < $2 and token_expires_at > $3 and strpos(detail, '"pairings"') > 0 and exists (select 1 from jsonb_array_elements(detail::jsonb->'pairings') named where named::text = $4)`,
};

/** Takes a key out of the tokens of a span of time that name it for a further holder: first and last id, time in seconds, thumbprint, twice. */
const withdrawKey: Readonly<Record<DatabaseKind, string>> = {
  sqlite: `insert into withdrawn_holder (jti, client_id, expires_at) select e.id, json_extract(h.value, '$.client_id'), e.token_expires_at from audit_event e, json_each(e.detail, '$.holders') h where e.id > $1 and e.id < $2 and e.token_expires_at > $3 and instr(e.detail, $4) > 0 and json_extract(h.value, '$.jkt') = $5 on conflict do nothing`,
  postgresql: `insert into withdrawn_holder (jti, client_id, expires_at) select e.id, h->>'client_id', e.token_expires_at from audit_event e, jsonb_array_elements((e.detail::jsonb)->'holders') h where e.id > $1 and e.id < $2 and e.token_expires_at > $3 and strpos(e.detail, $4) > 0 and h->>'jkt' = $5 on conflict do nothing`,
};

const revokeIssued =
  "insert into revoked_token (jti, expires_at) select id, token_expires_at from audit_event where type = 'token_issued' and";

/** Seconds above which no token lives, and none with further holders, whatever was configured when it was issued. */
const [longestLifetime, longestWithHolders] = [604_800, 86_400];

/** Sorts after every id, in every collation: whatever the clock of the replica says that has issued a token, it is among the latest. */
const end = 'w';

/**
 * First and last id of spans of time, which together hold what was issued in the last `lifetime` seconds: a statement for all of it would not end within
 * the time limit of one where much is issued.
 */
function spans(now: number, lifetime: number): readonly (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (let to = now; to > now - lifetime - 600; ) {
    // What is old is rarely alive still, and skipped by its expiry.
    const from = to - (now - to < 86_400 ? 600 : 3600);
    found.push([timePrefix(from * 1000), to === now ? end : timePrefix(to * 1000)]);
    to = from;
  }
  return found;
}

/** Puts the live ones of these tokens among the revoked ones; the last step tells how many those are. `now` in seconds. */
export function revokeTokensOf(
  of: { readonly client_id?: string; readonly jkt?: string | readonly string[] },
  now: number,
): readonly Step[] {
  const columns = Object.entries(of).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, [value].flat()] as const],
  );
  let parameter = 3;
  const which = columns
    .map(([name, values]) => `${name} in (${values.map(() => `$${++parameter}`).join()})`)
    .join(' and ');
  const sql = `${revokeIssued} id > $1 and id < $2 and token_expires_at > $3 and ${which} on conflict do nothing`;
  const values = columns.flatMap(([, each]) => each);
  return spans(now, longestLifetime).map((span, index) => ({
    sql,
    values: [...span, now, ...values],
    rows: 'any',
    adds: index > 0,
  }));
}

/** Takes a further holder's key out of the live tokens that name it. `now` in seconds. */
export function withdrawHolderKey(kind: DatabaseKind, jkt: string, now: number): readonly Step[] {
  return spans(now, longestWithHolders).map((span) => ({
    sql: withdrawKey[kind],
    values: [...span, now, jkt, jkt],
    rows: 'any',
  }));
}

/** Puts what was exchanged under this pairing among the revoked tokens. `now` and `tokenLifetime`, above which no token lives, in seconds. */
export function revokeExchanged(
  kind: DatabaseKind,
  pairing: string,
  now: number,
  tokenLifetime: number,
): readonly Step[] {
  const sql = `${revokeIssued} ${exchanged[kind]} on conflict do nothing`;
  const steps: Step[] = [];
  // By spans, each within the time limit of a statement.
  for (const [from, to] of spans(now, tokenLifetime))
    steps.push({ sql, values: [from, to, now, JSON.stringify(pairing)], rows: 'any' });
  return steps;
}

/** Issued and revoked tokens in the database. */
export function sqlIssuedTokens(
  database: Database,
  kind: DatabaseKind,
  change: RecordedChange,
  seconds: DatabaseSeconds,
): IssuedTokens {
  // Parsed once for each text, so that its keys are imported once too.
  const parsed = boundedCache<ClientRegistration>(16 * 1024 * 1024);
  const readClient = ({ client_id, metadata }: StateRow): ClientRegistration | undefined => {
    if (client_id === null || metadata === null) return undefined;
    const key = hash('sha256', `${client_id} ${metadata}`, 'base64url');
    const known = parsed.get(key);
    if (known !== undefined) return known;
    const client = {
      ...readClientMetadata(metadata, { table: 'client', key: client_id }),
      client_id,
      clientSecrets: [],
    };
    parsed.set(key, client, heldBytes(metadata));
    return client;
  };
  const readState = prepared(
    `select e.id, e.jkt, e.evidence, r.jti as revoked, c.client_id, c.metadata, (select ${listed[kind]} from signing_key where revoked_at is not null) as revoked_kids, ${pairings[kind]}, ${paired[kind]} from audit_event e left join revoked_token r on r.jti = e.id left join client c on c.client_id = e.client_id where e.type = 'token_issued' and e.id in (${asked[kind]})`,
  );
  const stateRow = batched<string, StateRow | undefined>(async (jtis) => {
    const rows = await answered(() =>
      database.$queryRawUnsafe<StateRow[]>(readState, JSON.stringify(jtis)),
    );
    const byId = new Map(rows.map((row) => [row.id, row]));
    return jtis.map((jti) => byId.get(jti));
  });
  const state = async (jti: string): Promise<TokenState | undefined> => {
    const row = await stateRow(jti);
    // Read after the batch: a damaged row is refused to whoever asked for it, and to nobody else.
    return row === undefined
      ? undefined
      : {
          revoked: row.revoked !== null || Number(row.pairing_revoked) === 1,
          pairings: row.pairings === null ? [] : (JSON.parse(row.pairings) as string[]),
          pairedAtIssuance: new Map([...readPaired(row.holders), ...readPaired(row.may_act)]),
          client: readClient(row),
          revokedKids: row.revoked_kids?.split(',') ?? [],
          evidence: row.evidence ?? undefined,
          jkt: row.jkt ?? undefined,
        };
  };
  return {
    state,
    async revoke(jti, expiresAt, event) {
      // The recorded expiry, where there is a record: the caller's clock may be behind.
      const sql =
        'insert into revoked_token (jti, expires_at) values ($1, coalesce((select token_expires_at from audit_event where id = $2), cast($3 as bigint))) on conflict do nothing';
      await change([{ sql, values: [jti, jti, expiresAt], rows: 'any' }], event);
    },
    async revokeAll(of, eventOf) {
      const now = (await seconds()) - clockMargin;
      let revoked = 0;
      // A further holder's key leaves its tokens; the requesters' go on (protocol reference D6.2).
      const withdrawals = of.client_id === undefined ? withdrawHolderKey(kind, of.jkt, now) : [];
      await change([...withdrawals, ...revokeTokensOf(of, now)], (changed) => {
        revoked = changed;
        return eventOf(revoked);
      });
      return revoked;
    },
  };
}

function readPaired(json: string | null): readonly (readonly [string, PairedAtIssuance])[] {
  if (json === null) return [];
  const paired = JSON.parse(json) as readonly {
    readonly client_id: string;
    readonly pairing: string;
    readonly evidence?: string;
  }[];
  return paired.map(({ client_id, pairing, evidence }) => [
    client_id,
    { pairing, form: evidence === 'registration' ? 'registered_key' : 'proof' },
  ]);
}
