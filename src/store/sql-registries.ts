import type { ClientRegistry, ResourceServerRegistry, Stored } from '../admin/registry.ts';
import type { ClientRegistration } from '../client-registration.ts';
import type { ClientRegistrations, ResourceServers } from '../ports.ts';
import type { ResourceServer } from '../resource-server.ts';
import type { Step } from './all-or-nothing.ts';
import { readClientMetadata, readResourceServerMetadata, readSecrets } from './columns.ts';
import { answered, type Database } from './database.ts';
import { clockMargin, type DatabaseSeconds } from './database-time.ts';
import type { RecordedChange } from './recorded-change.ts';
import { revokeTokensOf } from './sql-issued-tokens.ts';

interface Row {
  readonly metadata: string;
  readonly version: number;
  readonly createdAt: bigint;
  readonly updatedAt: bigint;
}

const stored = <T>(row: Row, value: T): Stored<T> => ({
  value,
  version: row.version,
  createdAt: Number(row.createdAt),
  updatedAt: Number(row.updatedAt),
});
// Names are stored a second time in lower case, for the filter only: the databases differ in how they compare.
/** Clients, for the protocol and for the admin. */
export function sqlClients(
  database: Database,
  change: RecordedChange,
  seconds: DatabaseSeconds,
): ClientRegistry & ClientRegistrations {
  type ClientRow = Row & { readonly clientId: string; readonly secrets: string };
  const toClient = (row: ClientRow): ClientRegistration => ({
    ...readClientMetadata(row.metadata, { table: 'client', key: row.clientId }),
    client_id: row.clientId,
    clientSecrets: readSecrets(row.secrets, { table: 'client', key: row.clientId }),
  });
  const columns = ({ client_id, clientSecrets, ...metadata }: ClientRegistration) => ({
    clientId: client_id,
    clientName: metadata.client_name?.toLowerCase() ?? '',
    metadata: JSON.stringify(metadata),
    secrets: JSON.stringify(clientSecrets),
  });
  const find = (clientId: string) =>
    answered(() => database.client.findUnique({ where: { clientId } }));
  return {
    async findClient(clientId) {
      const row = await find(clientId);
      return row === null ? undefined : toClient(row);
    },
    async create(value, { at, event }) {
      const { clientId, clientName, metadata, secrets } = columns(value);
      const sql =
        'insert into client (client_id, client_name, metadata, secrets, version, created_at, updated_at) values ($1, $2, $3, $4, 1, $5, $6) on conflict do nothing';
      const made = await change(
        [{ sql, values: [clientId, clientName, metadata, secrets, at, at] }],
        event,
      );
      return made ? { value, version: 1, createdAt: at, updatedAt: at } : 'conflict';
    },
    async get(clientId) {
      const row = await find(clientId);
      return row === null ? undefined : stored(row, toClient(row));
    },
    async list({ limit, after, name }) {
      const rows = await answered(() =>
        database.client.findMany({
          where: {
            clientId: { gt: after ?? '' },
            ...(name !== undefined && { clientName: { contains: name.toLowerCase() } }),
          },
          orderBy: { clientId: 'asc' },
          take: limit,
        }),
      );
      return rows.map((row) => stored(row, toClient(row)));
    },
    async replace(value, { version, createdAt }, { at, event, keysRemoved = [] }) {
      const { clientId, clientName, metadata, secrets } = columns(value);
      const sql =
        'update client set client_name = $1, metadata = $2, secrets = $3, version = $4, updated_at = $5 where client_id = $6 and version = $7';
      const update = {
        sql,
        values: [clientName, metadata, secrets, version + 1, at, clientId, version],
      };
      const revocations =
        keysRemoved.length === 0
          ? []
          : revokeTokensOf(
              { client_id: clientId, jkt: keysRemoved },
              (await seconds()) - clockMargin,
            );
      if (await change([update, ...revocations], event))
        return { value, version: version + 1, createdAt, updatedAt: at };
      return (await find(clientId)) === null ? 'not_found' : 'version_mismatch';
    },
    async remove(clientId, { event }, version) {
      const steps: readonly Step[] = [
        deletion('client', 'client_id', clientId, version),
        ...revokeTokensOf({ client_id: clientId }, (await seconds()) - clockMargin),
        // A later client of this id has proven no key.
        { sql: 'delete from credential_use where client_id = $1', values: [clientId], rows: 'any' },
      ];
      if (await change(steps, event)) return 'removed';
      return (await find(clientId)) === null ? 'not_found' : 'version_mismatch';
    },
  };
}

/** Resource servers, for the protocol and for the admin. */
export function sqlResourceServers(
  database: Database,
  change: RecordedChange,
): ResourceServerRegistry & ResourceServers {
  type ResourceServerRow = Row & {
    readonly id: string;
    readonly clientId: string | null;
    readonly secrets: string;
  };
  const toResourceServer = (row: ResourceServerRow): ResourceServer => ({
    ...readResourceServerMetadata(row.metadata, { table: 'resource_server', key: row.id }),
    id: row.id,
    client_id: row.clientId ?? row.id,
    clientSecrets: readSecrets(row.secrets, { table: 'resource_server', key: row.id }),
  });
  const columns = ({ id, client_id, clientSecrets, ...metadata }: ResourceServer) => ({
    id,
    clientId: client_id,
    secrets: JSON.stringify(clientSecrets),
    audience: metadata.audience,
    name: metadata.name?.toLowerCase() ?? '',
    metadata: JSON.stringify(metadata),
  });
  const find = (id: string) =>
    answered(() => database.resourceServer.findUnique({ where: { id } }));
  return {
    async findByAudience(audience) {
      const row = await answered(() => database.resourceServer.findUnique({ where: { audience } }));
      return row === null ? undefined : toResourceServer(row);
    },
    async findByClientId(clientId) {
      const row = await answered(() => database.resourceServer.findUnique({ where: { clientId } }));
      return row === null ? undefined : toResourceServer(row);
    },
    async findSole() {
      const [row, other] = await answered(() => database.resourceServer.findMany({ take: 2 }));
      return row === undefined || other !== undefined ? undefined : toResourceServer(row);
    },
    async create(value, { at, event }) {
      const { id, clientId, secrets, audience, name, metadata } = columns(value);
      const sql =
        'insert into resource_server (id, client_id, secrets, audience, name, metadata, version, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, 1, $7, $8) on conflict do nothing';
      const made = await change(
        [{ sql, values: [id, clientId, secrets, audience, name, metadata, at, at] }],
        event,
      );
      return made ? { value, version: 1, createdAt: at, updatedAt: at } : 'conflict';
    },
    async get(id) {
      const row = await find(id);
      return row === null ? undefined : stored(row, toResourceServer(row));
    },
    async list({ limit, after, name }) {
      const rows = await answered(() =>
        database.resourceServer.findMany({
          where: {
            id: { gt: after ?? '' },
            ...(name !== undefined && { name: { contains: name.toLowerCase() } }),
          },
          orderBy: { id: 'asc' },
          take: limit,
        }),
      );
      return rows.map((row) => stored(row, toResourceServer(row)));
    },
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

function deletion(table: string, key: string, id: string, version: number | undefined): Step {
  const sql = `delete from ${table} where ${key} = $1`;
  return version === undefined
    ? { sql, values: [id] }
    : { sql: `${sql} and version = $2`, values: [id, version] };
}
