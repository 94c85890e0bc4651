import type { ResourceServer } from '../../domain/resource-server.ts';
import type { ResourceServers } from '../../ports/ports.ts';
import type { ListQuery, ResourceServerRegistry } from '../../ports/registry.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { readResourceServerMetadata, readSecrets } from './columns.ts';
import { deletion, intactPage, managedOnly, type RegistrationRow, stored } from './stored.ts';

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

const columns = ({ id, client_id, clientSecrets, ...metadata }: ResourceServer) => ({
  id,
  clientId: client_id,
  secrets: JSON.stringify(clientSecrets),
  audience: metadata.audience,
  name: metadata.name?.toLowerCase() ?? '',
  metadata: JSON.stringify(metadata),
});

/** Resource servers, for the protocol and for the admin. */
export function sqlResourceServers(
  database: Database,
  change: AuditedTransaction,
): ResourceServerRegistry & ResourceServers {
  return { ...lookUps(database), ...registry(database, change) };
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

function registry(database: Database, change: AuditedTransaction): ResourceServerRegistry {
  const find = (id: string) =>
    orStoreUnavailable(() => database.resourceServer.findUnique({ where: { id } }));
  const page = ({ limit, after, name, managed }: ListQuery) =>
    orStoreUnavailable(() =>
      database.resourceServer.findMany({
        where: {
          id: { gt: after ?? '' },
          ...(name !== undefined && { name: { contains: name.toLowerCase() } }),
          ...managedOnly({ managed }),
        },
        orderBy: { id: 'asc' },
        take: limit,
      }),
    );
  return {
    async create(value, { at, event, managedBy = '' }) {
      const { id, clientId, secrets, audience, name, metadata } = columns(value);
      const sql =
        "insert into resource_server (id, client_id, secrets, audience, name, metadata, managed_by, version, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, nullif($7, ''), 1, $8, $9) on conflict do nothing";
      const values = [id, clientId, secrets, audience, name, metadata, managedBy, at, at];
      const made = await change([{ sql, values }], event);
      return made ? { value, version: 1, createdAt: at, updatedAt: at } : 'conflict';
    },
    async get(id) {
      const row = await find(id);
      return row === null ? undefined : stored(row, toResourceServer(row));
    },
    list: async (query) => (await page(query)).map((row) => stored(row, toResourceServer(row))),
    listIntact: async (query) =>
      intactPage(await page(query), query.limit, ({ id }) => id, toResourceServer),
    async replace(value, { version, createdAt }, { at, event }) {
      const { id, clientId, secrets, audience, name, metadata } = columns(value);
      const sql =
        'update resource_server set client_id = $1, secrets = $2, audience = $3, name = $4, metadata = $5, version = $6, updated_at = $7 where id = $8 and version = $9';
      const update = {
        sql,
        values: [clientId, secrets, audience, name, metadata, version + 1, at, id, version],
      };
      if (await change([update], event))
        return { value, version: version + 1, createdAt, updatedAt: at };
      return (await find(id)) === null ? 'not_found' : 'version_mismatch';
    },
    async remove(id, { event }, version) {
      if (await change([deletion('resource_server', 'id', id, version)], event)) return 'removed';
      return (await find(id)) === null ? 'not_found' : 'version_mismatch';
    },
  };
}
