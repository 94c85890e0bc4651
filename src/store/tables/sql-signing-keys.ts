import { databaseKind } from '../../config/database-url.ts';
import type { AuditEvent } from '../../domain/audit-event.ts';
import type { Clock } from '../../domain/clock.ts';
import { CorruptRow } from '../../domain/oauth-error.ts';
import { accessTokenSigningAlgorithms } from '../../jose/algorithms.ts';
import {
  beginningOf,
  type DamagedSigningKey,
  keyInForceName,
  type SigningKeyStore,
  type StoredSigningKey,
  signingKeyPurposes,
  stages,
} from '../../ports/signing-key-store.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { databaseTime } from '../connection/database-time.ts';
import { inTransaction, type Step } from '../connection/transaction.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { intact, knownValue } from './json-column.ts';
import { eventRow, insertEvents } from './sql-audit.ts';

/** Always has a row, so that a database without keys also returns its time. */
const listKeys = (kind: DatabaseKind) =>
  `select ${databaseTime[kind]} as database_time, kid, alg, purpose, first_for, public_jwk, private_jwe, created_at, active_at, revoked_at, recorded_state from (select 1) as always left join signing_key on true order by created_at, active_at, alg, kid`;

/**
 * Inserts only while the key-encryption key that sealed the key is in force. PostgreSQL waits for a
 * change of that key in progress; SQLite has only one writer.
 */
const insertKey = (kind: DatabaseKind) =>
  `insert into signing_key (kid, alg, first_for, public_jwk, private_jwe, created_at, active_at, purpose) select $1, $2, $3, $4, $5, cast($6 as bigint), cast($7 as bigint), $8 from shared_secret where name = $9 and value = $10${kind === 'postgresql' ? ' for share' : ''} on conflict do nothing`;
const advance =
  'update signing_key set active_at = cast($1 as bigint) where kid = $2 and active_at > cast($3 as bigint) and revoked_at is null';
const markRevoked =
  'update signing_key set revoked_at = cast($1 as bigint) where kid = $2 and revoked_at is null';
const moveOn = 'update signing_key set recorded_state = $1 where kid = $2 and recorded_state = $3';

interface Row {
  readonly database_time: bigint;
  readonly kid: string | null;
  readonly alg: string;
  readonly purpose: string;
  readonly first_for: string | null;
  readonly public_jwk: string;
  readonly private_jwe: string;
  readonly created_at: bigint;
  readonly active_at: bigint;
  readonly revoked_at: bigint | null;
  readonly recorded_state: string;
}

/**
 * Signing keys with sealed private halves.
 * @param now the clock of the audit trail
 * @param timeOf the database's time, for a test that sets it
 */
export function sqlSigningKeys(
  url: string,
  database: Database,
  now: Clock,
  timeOf?: Clock,
): SigningKeyStore {
  const kind = databaseKind(url);
  const [list, insert] = [listKeys(kind), insertKey(kind)];
  const recording = (event: AuditEvent): Step => ({
    sql: insertEvents[kind],
    values: [JSON.stringify([eventRow(event, now())])],
  });
  return {
    async listSigningKeys() {
      const rows = await orStoreUnavailable(() => database.$queryRawUnsafe<Row[]>(list));
      const keys = rows.flatMap((row) => (row.kid === null ? [] : [storedKey(row.kid, row)]));
      return {
        keys: keys.flatMap((key) => ('fault' in key ? [] : [key])),
        damaged: keys.filter((key) => 'fault' in key),
        databaseTime: timeOf?.() ?? Number(rows[0]?.database_time),
      };
    },
    async addSigningKey(
      { kid, alg, purpose, publicJwk, privateJwe, createdAt, activeAt, predecessor, sealedBy },
      event,
    ) {
      const values = [
        kid,
        alg,
        predecessor ?? beginningOf(purpose, alg),
        publicJwk,
        privateJwe,
        createdAt,
        activeAt,
        purpose,
        keyInForceName,
        sealedBy,
      ];
      if (await inTransaction(url, database, [{ sql: insert, values }, recording(event)]))
        return 'added';
      const inForce = await orStoreUnavailable(() =>
        database.sharedSecret.findUnique({ where: { name: keyInForceName } }),
      );
      return inForce?.value === sealedBy ? 'taken' : 'sealed_anew';
    },
    async advanceSigningKey(kid, activeAt, event) {
      await inTransaction(url, database, [
        { sql: advance, values: [activeAt, kid, activeAt] },
        recording(event),
      ]);
    },
    revokeSigningKey: async (kid, at, event) =>
      inTransaction(url, database, [{ sql: markRevoked, values: [at, kid] }, recording(event)]),
    async recordStage(kid, from, to, events) {
      await inTransaction(url, database, [
        { sql: moveOn, values: [to, kid, from] },
        ...events.map(recording),
      ]);
    },
  };
}

function storedKey(kid: string, row: Row): StoredSigningKey | DamagedSigningKey {
  const key = intact(() => intactKey(kid, row));
  return key instanceof CorruptRow ? { kid, follows: row.first_for ?? undefined, fault: key } : key;
}

function intactKey(
  kid: string,
  {
    alg,
    purpose,
    first_for,
    public_jwk,
    private_jwe,
    created_at,
    active_at,
    revoked_at,
    recorded_state,
  }: Row,
): StoredSigningKey {
  const of = { table: 'signing_key', key: kid };
  const known = knownValue(signingKeyPurposes, purpose, of);
  const isFirst = first_for === beginningOf(known, alg);
  return {
    kid,
    alg: knownValue(accessTokenSigningAlgorithms, alg, of),
    purpose: known,
    publicJwk: public_jwk,
    privateJwe: private_jwe,
    createdAt: Number(created_at),
    activeAt: Number(active_at),
    ...(revoked_at !== null && { revokedAt: Number(revoked_at) }),
    ...(first_for !== null && !isFirst && { predecessor: first_for }),
    recordedStage: knownValue(stages, recorded_state, of),
  };
}
