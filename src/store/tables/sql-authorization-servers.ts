import type { AuthorizationServer } from '../../domain/authorization-server.ts';
import type { AuthorizationServers } from '../../ports/ports.ts';
import type { Registry } from '../../ports/registry.ts';
import { orStoreUnavailable } from '../connection/database.ts';
import type { SqlStore } from '../connection/sql-store.ts';
import { clientIdentities, readListed, stillThere } from './client-identities.ts';
import { readAuthorizationServer } from './columns.ts';
import { byId, sqlRegistry } from './sql-registry.ts';
import { pageById, type RegistrationRow } from './stored.ts';

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
export function sqlAuthorizationServers({
  database,
  kind,
  change,
}: SqlStore): Registry<AuthorizationServer> & AuthorizationServers {
  const { authorizationServer: table } = database;
  const registry = sqlRegistry<AuthorizationServer, Row>(
    {
      ...byId,
      table: 'authorization_server',
      find: (id) => orStoreUnavailable(() => table.findUnique({ where: { id } })),
      page: (query) => orStoreUnavailable(() => table.findMany(pageById(query))),
      read,
      columns: ({ id: _, listed: __, issuer, ...metadata }) => ({
        issuer,
        metadata: JSON.stringify(metadata),
      }),
      naming: {
        identities: clientIdentities(database, kind),
        names: ({ clients }) => clients.map(({ client_id }) => client_id),
        listed: ({ listed }) => listed,
        shown({ clients, ...server }, current) {
          const names = clients.map(({ client_id }) => client_id);
          const there = new Set(stillThere(names, server.listed, current));
          return { ...server, clients: clients.filter(({ client_id }) => there.has(client_id)) };
        },
      },
    },
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
