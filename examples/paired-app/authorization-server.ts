// The authorization server itself, in a folder that is thrown away, with everybody registered by its
// admin API.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JWK } from 'jose';
import pino from 'pino';
import { startServer } from '../../src/app/start-server.ts';
import { readConfig } from '../../src/config/config.ts';

export interface AuthorizationServer {
  readonly issuer: string;
  admin(method: string, path: string, body?: object): Promise<Record<string, string>>;
  stop(): Promise<void>;
}

export async function startAuthorizationServer(): Promise<AuthorizationServer> {
  const folder = mkdtempSync(join(tmpdir(), 'paired-app-'));
  const adminToken = randomBytes(32).toString('base64url');
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const config = readConfig({
    ISSUER: issuer,
    PORT: String(port),
    ADMIN_PORT: '0',
    ADMIN_TOKEN: adminToken,
    DATABASE_URL: `file:${join(folder, 'as.db')}`,
  });
  const server = await startServer(config, {
    clock: Date.now,
    randomId: () => randomBytes(16).toString('base64url'),
    logger: pino({ level: 'warn' }),
    print: () => undefined,
  });
  return {
    issuer,
    async admin(method, path, body) {
      const response = await fetch(`http://127.0.0.1:${server.adminPort}/admin/${path}`, {
        method,
        headers: {
          authorization: `Bearer ${adminToken}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      if (!response.ok)
        throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response.status === 204 ? {} : ((await response.json()) as Record<string, string>);
    },
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

/**
 * Registers the resource servers, the app, its backend and a thief, who is a client too, and pairs
 * app and backend. Resolves to the id of the pairing.
 */
export async function registerEverybody(
  { admin }: AuthorizationServer,
  audiences: { calendar: string; archive: string },
  secret: string,
  backendKey: JWK,
): Promise<string> {
  const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
  const scopes = ['calendar.read'];
  const registration = { scopes, client_secret: secret };
  await admin('POST', 'resource-servers', {
    ...registration,
    audience: audiences.calendar,
    client_id: 'calendar-api',
    alt_cnf_supported: true,
  });
  await admin('POST', 'resource-servers', {
    ...registration,
    audience: audiences.archive,
    client_id: 'archive-api',
  });
  const app = { client_secret: secret, scope: 'calendar.read' };
  await admin('POST', 'clients', {
    ...app,
    client_id: 'cal-app',
    alt_cnf_holders: ['cal-backend'],
  });
  await admin('POST', 'clients', { ...app, client_id: 'thief', alt_cnf_holders: ['cal-backend'] });
  await admin('POST', 'clients', {
    client_id: 'cal-backend',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ ...backendKey, kid: 'be-1' }] },
    scope: 'calendar.read',
    grant_types: ['client_credentials', exchange],
    alt_cnf_requesters: ['cal-app'],
  });
  const { id } = await admin('POST', 'pairings', {
    requester: 'cal-app',
    holder: 'cal-backend',
    mode: 'proof',
    first_party: true,
  });
  return id ?? '';
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, 'localhost');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
