import type { ClientRegistry, ResourceServerRegistry, Stored } from '../admin/registry.ts';
import type { ClientRegistration } from '../client-registration.ts';
import type { ClientRegistrations, ResourceServers } from '../ports.ts';
import type { ResourceServer } from '../resource-server.ts';
import { allOrNothing } from './all-or-nothing.ts';
import { readClientMetadata, readResourceServerMetadata, readSecrets } from './columns.ts';
import { answered, type Database } from './database.ts';

const revokeAllOfClient =
  "insert into revoked_token (jti, expires_at) select id, token_expires_at from audit_event where client_id = $1 and type = 'token_issued' and token_expires_at > $2 on conflict do nothing";

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
export function sqlClients(database: Database, databaseUrl: string): ClientRegistry & ClientRegistrations {
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
  const find = (clientId: string) => answered(() => database.client.findUnique({ where: { clientId } }));
  return {
    async findClient(clientId) {
      const row = await find(clientId);
      return row === null ? undefined : toClient(row);
    },
    async create(value, at) {
      const { clientId, clientName, metadata, secrets } = columns(value);
      const count = await answered(
        () =>
          database.$executeRaw`insert into client (client_id, client_name, metadata, secrets, version, created_at, updated_at) values (${clientId}, ${clientName}, ${metadata}, ${secrets}, 1, ${BigInt(at)}, ${BigInt(at)}) on conflict do nothing`,
      );
      return count === 0 ? 'conflict' : { value, version: 1, createdAt: at, updatedAt: at };
    },
    async get(clientId) {
      const row = await find(clientId);
      return row === null ? undefined : stored(row, toClient(row));
    },
    async list({ limit, after, name }) {
      const rows = await answered(() =>
        database.client.findMany({
          where: { clientId: { gt: after ?? '' }, ...(name !== undefined && { clientName: { contains: name.toLowerCase() } }) },
          orderBy: { clientId: 'asc' },
          take: limit,
        }),
      );
      return rows.map((row) => stored(row, toClient(row)));
    },
    async replace(value, version, at) {
      const { clientId, ...data } = columns(value);
      const { count } = await answered(() =>
        database.client.updateMany({ where: { clientId, version }, data: { ...data, version: version + 1, updatedAt: BigInt(at) } }),
      );
      const row = await find(clientId);
      if (row === null) return 'not_found';
      return count === 0 ? 'version_mismatch' : stored(row, value);
    },
    async remove(clientId, at, version) {
      const unchanged = version === undefined ? { sql: '', values: [] } : { sql: ' and version = $2', values: [version] };
      const removed = await allOrNothing(databaseUrl, database, [
        { sql: `delete from client where client_id = $1${unchanged.sql}`, values: [clientId, ...unchanged.values] },
        { sql: revokeAllOfClient, values: [clientId, Math.floor(at / 1000)], rows: 'any' },
        // A later client of this id has proven no key.
        { sql: 'delete from credential_use where client_id = $1', values: [clientId], rows: 'any' },
      ]);
      return removed ? 'removed' : (await find(clientId)) === null ? 'not_found' : 'version_mismatch';
    },
  };
}

/** Resource servers, for the protocol and for the admin. */
export function sqlResourceServers(database: Database): ResourceServerRegistry & ResourceServers {
  type ResourceServerRow = Row & { readonly id: string; readonly clientId: string | null; readonly secrets: string };
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
  const find = (id: string) => answered(() => database.resourceServer.findUnique({ where: { id } }));
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
    async create(value, at) {
      const { id, clientId, secrets, audience, name, metadata } = columns(value);
      const count = await answered(
        () =>
          database.$executeRaw`insert into resource_server (id, client_id, secrets, audience, name, metadata, version, created_at, updated_at) values (${id}, ${clientId}, ${secrets}, ${audience}, ${name}, ${metadata}, 1, ${BigInt(at)}, ${BigInt(at)}) on conflict do nothing`,
      );
      return count === 0 ? 'conflict' : { value, version: 1, createdAt: at, updatedAt: at };
    },
    async get(id) {
      const row = await find(id);
      return row === null ? undefined : stored(row, toResourceServer(row));
    },
    async list({ limit, after, name }) {
      const rows = await answered(() =>
        database.resourceServer.findMany({
          where: { id: { gt: after ?? '' }, ...(name !== undefined && { name: { contains: name.toLowerCase() } }) },
          orderBy: { id: 'asc' },
          take: limit,
        }),
      );
      return rows.map((row) => stored(row, toResourceServer(row)));
    },
    async replace(value, version, at) {
      const { id, ...data } = columns(value);
      const { count } = await answered(() =>
        database.resourceServer.updateMany({ where: { id, version }, data: { ...data, version: version + 1, updatedAt: BigInt(at) } }),
      );
      const row = await find(id);
      if (row === null) return 'not_found';
      return count === 0 ? 'version_mismatch' : stored(row, value);
    },
    async remove(id, _at, version) {
      const { count } = await answered(() => database.resourceServer.deleteMany({ where: { id, ...(version !== undefined && { version }) } }));
      return count > 0 ? 'removed' : (await find(id)) === null ? 'not_found' : 'version_mismatch';
    },
  };
}
