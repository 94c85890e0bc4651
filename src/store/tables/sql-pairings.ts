import { defined } from '../../domain/defined.ts';
import { type NewPairing, type Pairing, pairingModes } from '../../domain/pairing.ts';
import type { PairingRegistry } from '../../ports/pairing-registry.ts';
import type { Pairings } from '../../ports/ports.ts';
import { orStoreUnavailable } from '../connection/database.ts';
import { clockMargin } from '../connection/database-time.ts';
import type { SqlStore } from '../connection/sql-store.ts';
import type { Step } from '../connection/transaction.ts';
import { readPairingLimits } from './columns.ts';
import { knownValue } from './json-column.ts';
import { revokeDerived, revokeExchanged } from './revocation-steps.ts';
import { pageById } from './stored.ts';

interface Row {
  readonly id: string;
  readonly requester: string;
  readonly holder: string;
  readonly requesterId: string | null;
  readonly holderId: string | null;
  readonly consent: string | null;
  readonly mode: string;
  readonly firstParty: boolean;
  readonly metadata: string;
  readonly revokedAt: bigint | null;
  readonly createdAt: bigint;
  readonly managedBy: string | null;
}

const toPairing = ({
  firstParty,
  metadata,
  revokedAt,
  createdAt,
  id,
  requester,
  holder,
  requesterId,
  holderId,
  consent,
  mode,
  managedBy,
}: Row): Pairing => ({
  ...readPairingLimits(metadata, { table: 'pairing', key: id }),
  id,
  requester,
  holder,
  // Null only if an older version wrote it; such a pairing belongs to nobody.
  requesterId: requesterId ?? '',
  holderId: holderId ?? '',
  consent: consent ?? '',
  mode: knownValue(pairingModes, mode, { table: 'pairing', key: id }),
  first_party: firstParty,
  createdAt: Number(createdAt),
  ...(revokedAt !== null && { revokedAt: Number(revokedAt) }),
  ...(managedBy !== null && { managedBy }),
});

function insertion(pairing: NewPairing): Step {
  const { id, requester, holder, mode, first_party, scope, resources, createdAt } = pairing;
  const { managedBy = '' } = pairing;
  const metadata = JSON.stringify({
    ...(scope !== undefined && { scope }),
    ...(resources !== undefined && { resources }),
  });
  // A new pairing replaces a revoked one of the same two clients, or one of earlier clients with
  // their names, but never a current one.
  const sql =
    "insert into pairing (id, consent, requester, holder, requester_id, holder_id, mode, first_party, metadata, managed_by, version, created_at, updated_at) values ($1, $2, $3, $4, (select registration_id from client where client_id = $5), (select registration_id from client where client_id = $6), $7, $8 = 1, $9, nullif($10, ''), 1, $11, $12) on conflict (requester, holder) do update set id = excluded.id, consent = excluded.consent, requester_id = excluded.requester_id, holder_id = excluded.holder_id, mode = excluded.mode, first_party = excluded.first_party, metadata = excluded.metadata, managed_by = excluded.managed_by, revoked_at = null, version = 1, created_at = excluded.created_at, updated_at = excluded.updated_at where pairing.revoked_at is not null or pairing.requester_id is distinct from excluded.requester_id or pairing.holder_id is distinct from excluded.holder_id";
  const values = [
    id,
    id,
    requester,
    holder,
    requester,
    holder,
    mode,
    Number(first_party),
    metadata,
    managedBy,
    createdAt,
    createdAt,
  ];
  return { sql, values };
}

/** Pairings, for the protocol and for the admin. */
export function sqlPairings({
  database,
  kind,
  change,
  seconds,
}: SqlStore): PairingRegistry & Pairings {
  const find = async (id: string) => {
    const row = await orStoreUnavailable(() => database.pairing.findUnique({ where: { id } }));
    return row === null ? undefined : toPairing(row);
  };
  return {
    get: find,
    async findPairing(requester, holder) {
      const row = await orStoreUnavailable(() =>
        database.pairing.findFirst({ where: { requester, holder, revokedAt: null } }),
      );
      return row === null ? undefined : toPairing(row);
    },
    async findByConsent(consent) {
      const row = await orStoreUnavailable(() =>
        database.pairing.findUnique({ where: { consent } }),
      );
      return row === null ? undefined : toPairing(row);
    },
    async create(pairing, event) {
      return (await change([insertion(pairing)], event)) ? pairing : 'conflict';
    },
    async list({ requester, holder, ...query }) {
      const { where, ...page } = pageById(query);
      const filters = { ...where, ...defined({ requester, holder }) };
      const rows = await orStoreUnavailable(() =>
        database.pairing.findMany({ ...page, where: filters }),
      );
      return rows.map(toPairing);
    },
    async revoke(id, { at, event }, tokenLifetime) {
      const sql =
        'update pairing set revoked_at = $1, updated_at = $2, version = version + 1 where id = $3 and revoked_at is null';
      const now = (await seconds()) - clockMargin;
      const steps = [
        { sql, values: [at, at, id] },
        ...revokeExchanged(kind, id, now, tokenLifetime),
        ...revokeDerived(now),
      ];
      await change(steps, event);
      return find(id);
    },
  };
}
