import type { ClientRegistration, ListedClients } from '../../domain/client-registration.ts';
import { CorruptRow } from '../../domain/oauth-error.ts';
import type { ClientRegistrations } from '../../ports/ports.ts';
import type { ClientRegistry, ListQuery, Stored } from '../../ports/registry.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { clockMargin, type DatabaseSeconds } from '../connection/database-time.ts';
import type { Step } from '../connection/transaction.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { clientIdentities, readListed, stillThere, writeListed } from './client-identities.ts';
import { readClientMetadata, readSecrets } from './columns.ts';
import { revokeDerived, revokeTokensOf, withdrawConsent } from './revocation-steps.ts';
import { deletion, intactPage, managedOnly, type RegistrationRow, stored } from './stored.ts';

interface Row extends RegistrationRow {
  readonly clientId: string;
  readonly registrationId: string | null;
  readonly listed: string | null;
  readonly secrets: string;
}

const lists = ({ alt_cnf_holders = [], alt_cnf_requesters = [] }: ClientRegistration) => [
  ...alt_cnf_holders,
  ...alt_cnf_requesters,
];

function toClient(row: Row): ClientRegistration {
  const place = { table: 'client', key: row.clientId };
  if (row.registrationId === null)
    throw new CorruptRow(place.table, place.key, 'no registration_id');
  return {
    ...readClientMetadata(row.metadata, place),
    client_id: row.clientId,
    registration_id: row.registrationId,
    listed: readListed(row.listed, place),
    clientSecrets: readSecrets(row.secrets, place),
  };
}

/**
 * The client as the operator sees it: its lists have no deleted client, even if a later one has the
 * same name.
 */
function withoutDeleted(client: ClientRegistration, current: ListedClients): ClientRegistration {
  const { alt_cnf_holders, alt_cnf_requesters, listed } = client;
  const left = (list: readonly string[]) => stillThere(list, listed, current);
  return {
    ...client,
    ...(alt_cnf_holders !== undefined && { alt_cnf_holders: left(alt_cnf_holders) }),
    ...(alt_cnf_requesters !== undefined && { alt_cnf_requesters: left(alt_cnf_requesters) }),
  };
}

// Names are stored a second time in lower case, for the filter only: the databases differ in how
// they compare.
const columns = ({
  client_id,
  registration_id: _,
  listed: __,
  clientSecrets,
  ...metadata
}: ClientRegistration) => ({
  clientId: client_id,
  clientName: metadata.client_name?.toLowerCase() ?? '',
  metadata: JSON.stringify(metadata),
  secrets: JSON.stringify(clientSecrets),
});

function rows(database: Database) {
  return {
    find: (clientId: string) =>
      orStoreUnavailable(() => database.client.findUnique({ where: { clientId } })),
    page: ({ limit, after, name, managed }: ListQuery) =>
      orStoreUnavailable(() =>
        database.client.findMany({
          where: {
            clientId: { gt: after ?? '' },
            ...(name !== undefined && { clientName: { contains: name.toLowerCase() } }),
            ...managedOnly({ managed }),
          },
          orderBy: { clientId: 'asc' },
          take: limit,
        }),
      ),
  };
}

function update(
  value: ClientRegistration,
  listed: ListedClients,
  { version, value: before }: Stored<ClientRegistration>,
  at: number,
): Step {
  const { clientId, clientName, metadata, secrets } = columns(value);
  const sql =
    'update client set client_name = $1, metadata = $2, secrets = $3, listed_clients = $4, version = $5, updated_at = $6 where client_id = $7 and version = $8 and registration_id = $9';
  const which = [clientId, version, before.registration_id];
  const values = [clientName, metadata, secrets, writeListed(listed), version + 1, at, ...which];
  return { sql, values };
}

/** Revokes the tokens that rest on keys and holders that the registration no longer names. */
function withdrawal(
  kind: DatabaseKind,
  clientId: string,
  keys: readonly string[],
  holders: readonly string[],
  now: number,
): readonly Step[] {
  if (keys.length + holders.length === 0) return [];
  return [
    ...(keys.length === 0 ? [] : revokeTokensOf({ client_id: clientId, jkt: keys }, now)),
    ...holders.flatMap((holder) => withdrawConsent(kind, clientId, holder, now)),
    ...revokeDerived(now),
  ];
}

function removal(clientId: string, version: number | undefined, now: number): readonly Step[] {
  const uses =
    'delete from credential_use where client_id = (select registration_id from client where client_id = $1)';
  return [
    { sql: uses, values: [clientId], rows: 'any' },
    // Its identity and its pairings go with it, by a trigger.
    deletion('client', 'client_id', clientId, version),
    ...revokeTokensOf({ client_id: clientId }, now),
    ...revokeDerived(now),
  ];
}

/** Clients, for the protocol and for the admin. */
export function sqlClients(
  database: Database,
  kind: DatabaseKind,
  change: AuditedTransaction,
  seconds: DatabaseSeconds,
): ClientRegistry & ClientRegistrations {
  const identities = clientIdentities(database, kind);
  const { find, page } = rows(database);
  const revokedFrom = async () => (await seconds()) - clockMargin;
  const shown = async (found: readonly Row[]): Promise<readonly Stored<ClientRegistration>[]> => {
    const clients = found.map(toClient);
    const current = await identities.current([...new Set(clients.flatMap(lists))]);
    return found.map((row, index) =>
      stored(row, withoutDeleted(clients[index] as ClientRegistration, current)),
    );
  };
  return {
    async findClient(clientId) {
      const row = await find(clientId);
      return row === null ? undefined : toClient(row);
    },
    async create(value, { at, event, managedBy = '' }) {
      const { clientId, clientName, metadata, secrets } = columns(value);
      const listed = await identities.reserve(lists(value));
      // A trigger gives the registration its identity, in the same transaction.
      const sql =
        "insert into client (client_id, client_name, metadata, secrets, listed_clients, managed_by, version, created_at, updated_at) values ($1, $2, $3, $4, $5, nullif($6, ''), 1, $7, $8) on conflict do nothing";
      const which = writeListed(listed);
      const values = [clientId, clientName, metadata, secrets, which, managedBy, at, at];
      const made = await change([{ sql, values }], event);
      return made ? { value, version: 1, createdAt: at, updatedAt: at } : 'conflict';
    },
    async get(clientId) {
      const row = await find(clientId);
      return row === null ? undefined : (await shown([row]))[0];
    },
    list: async (query) => shown(await page(query)),
    listIntact: async (query) =>
      intactPage(await page(query), query.limit, ({ clientId }) => clientId, toClient),
    async replace(value, found, { at, event, keysRemoved = [], holdersRemoved = [] }) {
      const { version, createdAt, value: before } = found;
      // Who stays in a list is who was in it: a client deleted and registered anew since it was
      // read is not.
      const stay = new Set(lists(before));
      const added = await identities.reserve(lists(value).filter((name) => !stay.has(name)));
      const kept = [...before.listed].filter(([name]) => stay.has(name));
      const steps = [
        update(value, new Map([...kept, ...added]), found, at),
        ...withdrawal(kind, value.client_id, keysRemoved, holdersRemoved, await revokedFrom()),
      ];
      if (await change(steps, event))
        return { value, version: version + 1, createdAt, updatedAt: at };
      return (await find(value.client_id)) === null ? 'not_found' : 'version_mismatch';
    },
    async remove(clientId, { event }, version) {
      const steps = removal(clientId, version, await revokedFrom());
      if (await change(steps, event)) return 'removed';
      return (await find(clientId)) === null ? 'not_found' : 'version_mismatch';
    },
  };
}
