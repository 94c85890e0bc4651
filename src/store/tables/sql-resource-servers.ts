import type { ResourceServer } from '../../domain/resource-server.ts';
import type { ResourceServers } from '../../ports/ports.ts';
import type { ResourceServerRegistry } from '../../ports/registry.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { clockMargin } from '../connection/database-time.ts';
import type { SqlStore } from '../connection/sql-store.ts';
import { readResourceServerMetadata, readSecrets } from './columns.ts';
import { revokeOfRemovedServers } from './revocation-steps.ts';
import { byId, sqlRegistry } from './sql-registry.ts';
import { pageById, type RegistrationRow } from './stored.ts';

interface Row extends RegistrationRow {
  readonly id: string;
  readonly clientId: string | null;
  readonly secrets: string;
}

function toResourceServer(row: Row): ResourceServer {
  const place = { table: 'resource_server', key: row.id };
  return {
    ...readResourceServerMetadata(row.metadata, place),
    id: row.id,
    client_id: row.clientId ?? row.id,
    clientSecrets: readSecrets(row.secrets, place),
  };
}

/** Resource servers, for the protocol and for the admin. */
export function sqlResourceServers({
  database,
  change,
  seconds,
}: SqlStore): ResourceServerRegistry & ResourceServers {
  const { resourceServer: table } = database;
  const registry = sqlRegistry<ResourceServer, Row>(
    {
      ...byId,
      table: 'resource_server',
      find: (id) => orStoreUnavailable(() => table.findUnique({ where: { id } })),
      page({ name, ...query }) {
        const { where, ...page } = pageById(query);
        const named = name !== undefined && { name: { contains: name.toLowerCase() } };
        return orStoreUnavailable(() => table.findMany({ ...page, where: { ...where, ...named } }));
      },
      read: toResourceServer,
      columns: ({ id: _, client_id, clientSecrets, ...metadata }) => ({
        client_id,
        secrets: JSON.stringify(clientSecrets),
        audience: metadata.audience,
        name: metadata.name?.toLowerCase() ?? '',
        metadata: JSON.stringify(metadata),
      }),
      removal: async (_, deletion) => [
        deletion,
        ...revokeOfRemovedServers((await seconds()) - clockMargin),
      ],
    },
    change,
  );
  return { ...lookUps(database), ...registry };
}

function lookUps(database: Database): ResourceServers {
  const found = async (
    where: { readonly audience: string } | { readonly clientId: string } | { readonly id: string },
  ): Promise<ResourceServer | undefined> => {
    const row = await orStoreUnavailable(() => database.resourceServer.findUnique({ where }));
    return row === null ? undefined : toResourceServer(row);
  };
  return {
    findByAudience: (audience) => found({ audience }),
    findById: (id) => found({ id }),
    findByClientId: (clientId) => found({ clientId }),
    async findSole() {
      const [row, other] = await orStoreUnavailable(() =>
        database.resourceServer.findMany({ take: 2 }),
      );
      return row === undefined || other !== undefined ? undefined : toResourceServer(row);
    },
  };
}
