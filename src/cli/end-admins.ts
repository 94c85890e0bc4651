import { adminTokenHash } from '../admin/admin-token.ts';
import { bootstrapEnded } from '../admin/authenticate-admin.ts';
import { adminTokenName } from '../app/first-start.ts';
import type { Config } from '../config/config.ts';
import { databaseKind } from '../config/database-url.ts';
import type { AuditedTransaction } from '../store/connection/audited-transaction.ts';
import type { Database } from '../store/connection/database.ts';
import { databaseSeconds } from '../store/connection/database-time.ts';
import { sqlAdminTokens } from '../store/tables/sql-admin-tokens.ts';
import { sqlClients } from '../store/tables/sql-clients.ts';
import { sqlSharedSecrets } from '../store/tables/sql-secrets.ts';
import { failed } from './exit-codes.ts';

/** How many are read per query. */
const limit = 500;

/** Passes before it gives up; a running server accepts ended admins for some seconds. */
const maxPasses = 20;

/** Dependencies, and the identifier of the token to keep. */
export interface EndAdminsOptions {
  readonly database: Database;
  readonly change: AuditedTransaction;
  readonly config: Config;
  readonly now: number;
  readonly keep: string;
}

/**
 * Ends every admin except one token: removes scopes from clients, the first token, and the other
 * tokens. Passes repeat until one finds no admins, because admins may create others meanwhile.
 * Returns those ended, which are audited. Throws CommandError.
 */
export async function endAdmins(options: EndAdminsOptions): Promise<readonly string[]> {
  const ended: string[] = [];
  for (let pass = 0; pass < maxPasses; pass++) {
    const clients = await endClients(options);
    ended.push(...(await endFirstToken(options)));
    const tokens = await endTokens(options);
    ended.push(...clients.ended, ...tokens);
    if (clients.ended.length + tokens.length === 0 && clients.left === 0) return ended;
  }
  throw failed(
    'Admins are still being created or changed: stop every server and run this again. Only some admins were removed.',
  );
}

async function endFirstToken({ database, config }: EndAdminsOptions): Promise<readonly string[]> {
  const secrets = sqlSharedSecrets(database);
  const first =
    config.adminToken === undefined
      ? await secrets.getSecret(adminTokenName)
      : adminTokenHash(config.adminToken);
  if (first === undefined) return [];
  const name = bootstrapEnded(first);
  if ((await secrets.getSecret(name)) !== undefined) return [];
  await secrets.putSecretOnce(name, '1');
  return ['the first token'];
}

async function endTokens({ database, change, keep }: EndAdminsOptions): Promise<string[]> {
  const tokens = sqlAdminTokens(database, change);
  const ended: string[] = [];
  let after = '';
  for (;;) {
    const found = await tokens.list({ limit, after });
    for (const { id, name } of found) {
      if (id === keep) continue;
      const event = { type: 'admin_token_deleted', actor: 'server', detail: { id, name } } as const;
      if (await tokens.remove(id, event)) ended.push(`token ${name}`);
    }
    after = found.at(-1)?.id ?? '';
    if (found.length < limit) return ended;
  }
}

/** Clients that are changed concurrently are left for the next pass. */
async function endClients({ database, change, config, now }: EndAdminsOptions) {
  const kind = databaseKind(config.databaseUrl);
  const seconds = databaseSeconds(database, kind);
  const clients = sqlClients({ database, kind, change, seconds });
  const ended: string[] = [];
  let left = 0;
  let after: string | undefined = '';
  while (after !== undefined) {
    const page = await clients.listIntact({ limit, after });
    for (const { client_id: id, admin_scopes: scopes } of page.values) {
      if (scopes === undefined) continue;
      const found = await clients.get(id);
      if (found === undefined) continue;
      const { admin_scopes: _, ...value } = found.value;
      const detail = { changed: ['admin_scopes'] };
      const event = { type: 'client_changed', actor: 'server', client_id: id, detail } as const;
      if (typeof (await clients.replace(value, found, { at: now, event })) === 'string') left++;
      else ended.push(`client ${id}`);
    }
    after = page.next;
  }
  return { ended, left };
}
