import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { endAdmins } from '../../src/cli/end-admins.ts';
import { readConfig } from '../../src/config/config.ts';
import type { AuditEvent } from '../../src/domain/audit-event.ts';
import {
  type AuditedTransaction,
  auditedTransaction,
} from '../../src/store/connection/audited-transaction.ts';
import { type Database, openDatabase } from '../../src/store/connection/database.ts';
import { sqlAdminTokens } from '../../src/store/tables/sql-admin-tokens.ts';
import { testServer } from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

let store: TestStore;
let database: Database | undefined;
afterEach(async () => {
  await database?.$disconnect();
  await store.remove();
});

const ops = {
  client_id: 'ops',
  client_secret: 's'.repeat(32),
  resources: ['urn:holdfast:admin'],
  admin_scopes: ['admin:grant'],
};

describe.each(storeKinds)('holdfast admin-token reset --end-others on $name', (kind) => {
  /** Ends all admins of a server, of whom somebody acts just before the first such event. */
  async function endWhile(
    type: AuditEvent['type'],
    act: (change: AuditedTransaction, opened: Database) => Promise<unknown>,
  ) {
    store = await kind.make();
    const server = await testServer({ store });
    await server.admin('POST', 'clients', ops);
    await server.admin('POST', 'admin-tokens', { name: 'anna', scopes: ['admin:grant'] });
    await server.stop();
    const config = readConfig({ ...store.env });
    const opened = await openDatabase(config.databaseUrl, () => undefined);
    database = opened;
    const change = auditedTransaction(config.databaseUrl, opened, Date.now);
    const made = (keep: string, name: string) => tokenOf(change, opened, keep, name);
    const keep = randomUUID();
    await made(keep, 'reset');
    let acted = false;
    const interrupted: AuditedTransaction = async (steps, recorded) => {
      if (!acted && typeof recorded === 'object' && recorded.type === type) {
        acted = true;
        await act(change, opened);
      }
      return change(steps, recorded);
    };
    const ended = await endAdmins({
      database: opened,
      change: interrupted,
      config,
      now: Date.now(),
      keep,
    });
    const tokens = await sqlAdminTokens(opened, change).list({ limit: 10 });
    const client = await opened.client.findUniqueOrThrow({ where: { clientId: 'ops' } });
    expect(tokens.map(({ name }) => name)).toEqual(['reset']);
    expect(client.metadata).not.toContain('admin_scopes');
    return ended;
  }

  it.each(['client_changed', 'admin_token_deleted'] as const)(
    'ends a token too that another admin makes just before %s',
    async (type) => {
      const ended = await endWhile(type, async (change, opened) =>
        // Smaller than all others, so that a list that goes on does not come to it.
        tokenOf(change, opened, '00000000-0000-4000-8000-000000000000', 'new'),
      );
      expect(ended.toSorted()).toEqual(['client ops', 'token anna', 'token new']);
    },
  );

  it('ends a client too that another admin changes meanwhile', async () => {
    const ended = await endWhile('client_changed', async (_, opened) =>
      opened.client.update({ where: { clientId: 'ops' }, data: { version: { increment: 1 } } }),
    );
    expect(ended.toSorted()).toEqual(['client ops', 'token anna']);
  });
});

async function tokenOf(change: AuditedTransaction, opened: Database, id: string, name: string) {
  const made = { id, name, scopes: ['admin:grant'], createdAt: 0, createdBy: 'test' } as const;
  const detail = { id, name };
  const event = { type: 'admin_token_created', actor: 'server', detail } as const;
  return sqlAdminTokens(opened, change).create(made, `hash of ${id}`, event);
}
