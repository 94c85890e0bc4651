import type { ClientRegistration, ListedClients } from '../../domain/client-registration.ts';
import { CorruptRow } from '../../domain/oauth-error.ts';
import type { ClientRegistrations } from '../../ports/ports.ts';
import type { ClientRegistry, ListQuery } from '../../ports/registry.ts';
import { orStoreUnavailable } from '../connection/database.ts';
import { clockMargin } from '../connection/database-time.ts';
import type { SqlStore } from '../connection/sql-store.ts';
import type { Step } from '../connection/transaction.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { clientIdentities, readListed, stillThere } from './client-identities.ts';
import { readClientMetadata, readSecrets } from './columns.ts';
import { revokeDerived, revokeTokensOf, withdrawConsent } from './revocation-steps.ts';
import { sqlRegistry } from './sql-registry.ts';
import { managedOnly, type RegistrationRow } from './stored.ts';

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

/** The client as the operator sees it: its lists omit deleted clients and later namesakes. */
function withoutDeleted(client: ClientRegistration, current: ListedClients): ClientRegistration {
  const { alt_cnf_holders, alt_cnf_requesters, listed } = client;
  const left = (list: readonly string[]) => stillThere(list, listed, current);
  return {
    ...client,
    ...(alt_cnf_holders !== undefined && { alt_cnf_holders: left(alt_cnf_holders) }),
    ...(alt_cnf_requesters !== undefined && { alt_cnf_requesters: left(alt_cnf_requesters) }),
  };
}

/** Revokes the tokens based on keys and holders that the registration no longer names. */
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

/** Clients, for the protocol and for the admin. */
export function sqlClients({
  database,
  kind,
  change,
  seconds,
}: SqlStore): ClientRegistry & ClientRegistrations {
  const find = (clientId: string) =>
    orStoreUnavailable(() => database.client.findUnique({ where: { clientId } }));
  const revokedFrom = async () => (await seconds()) - clockMargin;
  const registry = sqlRegistry<ClientRegistration, Row>(
    {
      table: 'client',
      key: 'client_id',
      idOf: ({ client_id }) => client_id,
      rowId: ({ clientId }) => clientId,
      find,
      page: (query) => orStoreUnavailable(() => database.client.findMany(pageOf(query))),
      read: toClient,
      // A trigger gives the registration its identity, in the transaction that inserts it.
      columns: ({
        client_id: _,
        registration_id: __,
        listed: ___,
        clientSecrets,
        ...metadata
      }) => ({
        // Also in lower case, for the filter, because the databases differ in how they compare.
        client_name: metadata.client_name?.toLowerCase() ?? '',
        metadata: JSON.stringify(metadata),
        secrets: JSON.stringify(clientSecrets),
      }),
      naming: {
        identities: clientIdentities(database, kind),
        names: lists,
        listed: ({ listed }) => listed,
        shown: withoutDeleted,
      },
      same: ({ registration_id }) => ({ registration_id }),
      following: async ({ client_id }, { keysRemoved = [], holdersRemoved = [] }) =>
        withdrawal(kind, client_id, keysRemoved, holdersRemoved, await revokedFrom()),
      async removal(clientId, deletion) {
        const uses =
          'delete from credential_use where client_id in (select registration_id from client where client_id in ($*))';
        const now = await revokedFrom();
        return [
          { sql: uses, values: [], items: [clientId], rows: 'any' },
          // A trigger also deletes its identity and its pairings.
          deletion,
          ...revokeTokensOf({ client_id: clientId }, now),
          ...revokeDerived(now),
        ];
      },
    },
    change,
  );
  return {
    ...registry,
    async findClient(clientId) {
      const row = await find(clientId);
      return row === null ? undefined : toClient(row);
    },
  };
}

function pageOf({ limit, after = '', name, managed }: ListQuery) {
  return {
    where: {
      clientId: { gt: after },
      ...(name !== undefined && { clientName: { contains: name.toLowerCase() } }),
      ...managedOnly({ managed }),
    },
    orderBy: { clientId: 'asc' as const },
    take: limit,
  };
}
