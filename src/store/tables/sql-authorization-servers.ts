import type { AuthorizationServer } from '../../domain/authorization-server.ts';
import type { AuthorizationServers } from '../../ports/ports.ts';
import type { Registry } from '../../ports/registry.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { clientIdentities, readListed, stillThere } from './client-identities.ts';
import { readAuthorizationServer } from './columns.ts';
import { listedRegistry } from './listed-registry.ts';
import { managedOnly, type RegistrationRow } from './stored.ts';

interface Row extends RegistrationRow {
  readonly id: string;
  readonly issuer: string;
  readonly listed: string | null;
}

function read({ id, issuer, metadata, listed }: Row): AuthorizationServer {
  const place = { table: 'authorization_server', key: id };
  return {
    ...readAuthorizationServer(metadata, place),
    listed: readListed(listed, place),
    id,
    issuer,
  };
}

/** Other authorization servers, for the protocol and for the admin. */
export function sqlAuthorizationServers(
  database: Database,
  kind: DatabaseKind,
  change: AuditedTransaction,
): Registry<AuthorizationServer> & AuthorizationServers {
  const { authorizationServer: table } = database;
  const registry = listedRegistry<AuthorizationServer, Row>(
    {
      table: 'authorization_server',
      find: (id) => orStoreUnavailable(() => table.findUnique({ where: { id } })),
      page: ({ limit, after, managed }) =>
        orStoreUnavailable(() =>
          table.findMany({
            where: { id: { gt: after ?? '' }, ...managedOnly({ managed }) },
            orderBy: { id: 'asc' },
            take: limit,
          }),
        ),
      read,
      columns: ({ issuer }) => ({ issuer }),
      names: ({ clients }) => clients.map(({ client_id }) => client_id),
      shown({ clients, ...server }, current) {
        const names = clients.map(({ client_id }) => client_id);
        const there = new Set(stillThere(names, server.listed, current));
        return { ...server, clients: clients.filter(({ client_id }) => there.has(client_id)) };
      },
      removal: async () => [],
    },
    clientIdentities(database, kind),
    change,
  );
  return {
    ...registry,
    async findAuthorizationServer(issuer) {
      const row = await orStoreUnavailable(() => table.findUnique({ where: { issuer } }));
      return row === null ? undefined : read(row);
    },
  };
}
