import { randomBytes } from 'node:crypto';
import pino from 'pino';
import { startServer } from '../../src/app/start-server.ts';
import { readConfig } from '../../src/config/config.ts';
import { type Asked, asked } from './asked.ts';
import { onSqlite, type TestStore, type TestStoreKind } from './stores.ts';

/** Issuer of every test server: requests go to loopback, the proofs name this. */
export const issuer = 'https://as.example.com';
export const adminToken = 'a'.repeat(32);
/** A Tuesday; the clock stands still unless a test moves it. */
export const startOfTime = Date.UTC(2026, 10, 24, 9, 0, 0);

/** A JSON answer with what the tests look at. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers whose shape is what they check.
  readonly body: any;
}

/** A real server on real sockets, with a clock that the test sets. */
export interface TestServer {
  readonly issuer: string;
  /** Where the public listener is, `http://127.0.0.1:PORT`; behind it the paths of the issuer. */
  readonly url: string;
  readonly adminUrl: string;
  /** Where gateways ask, if there is such a listener on a port. */
  readonly gatewayUrl: string;
  /** Milliseconds since the epoch; assign `now` to move it. */
  readonly clock: { now: number };
  /** Everything that was logged, one parsed line an item. */
  readonly logs: Record<string, unknown>[];
  /** What went to the operator's terminal. */
  readonly printed: string[];
  /** A request to the admin listener with the admin token and a JSON body. */
  admin(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** A form to an endpoint of the public listener; `undefined` members are left out. */
  post(
    path: string,
    form: Record<string, string | undefined> | string,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  stop(): Promise<void>;
}

/** Options of `testServer`. */
export interface TestServerOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly kind?: TestStoreKind;
  /** Stores that exist already, for a second process on the same ones; they outlive the server. */
  readonly store?: TestStore;
  readonly clock?: { now: number };
  /** What the database's clock says; the server's own clock unless given. `real`: what the database itself says. */
  readonly databaseClock?: { readonly now: number } | 'real';
}

/** Starts a server on stores of its own (SQLite unless `kind` says otherwise) and ports that the system chooses. */
export async function testServer({
  env = {},
  kind = onSqlite,
  store: given,
  clock = { now: startOfTime },
  databaseClock = clock,
}: TestServerOptions = {}): Promise<TestServer> {
  const store = given ?? (await kind.make());
  const logs: Record<string, unknown>[] = [];
  const printed: string[] = [];
  const config = readConfig({
    ISSUER: issuer,
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_PORT: '0',
    ADMIN_TOKEN: adminToken,
    LOG_LEVEL: 'debug',
    ...store.env,
    ...env,
  });
  const running = await startServer(config, {
    clock: () => clock.now,
    ...(databaseClock !== 'real' && { databaseClock: () => databaseClock.now }),
    randomId: () => randomBytes(16).toString('base64url'),
    logger: pino(
      { level: 'debug' },
      { write: (line: string) => void logs.push(JSON.parse(line) as Record<string, unknown>) },
    ),
    print: (text) => void printed.push(text),
  });
  const url = `http://127.0.0.1:${running.publicPort}`;
  const adminUrl = `http://127.0.0.1:${running.adminPort}`;
  return {
    issuer: config.issuer,
    url,
    adminUrl,
    gatewayUrl: `http://127.0.0.1:${running.gatewayPort}`,
    clock,
    logs,
    printed,
    admin: async (method, path, body, headers = {}) =>
      read(
        await asked(
          `${adminUrl}/admin/${path}`,
          method,
          {
            authorization: `Bearer ${adminToken}`,
            ...(body !== undefined && { 'content-type': 'application/json' }),
            ...headers,
          },
          body === undefined || typeof body === 'string' || body instanceof Uint8Array
            ? body
            : JSON.stringify(body),
        ),
      ),
    post: async (path, form, headers = {}) =>
      read(
        await asked(
          `${url}${path}`,
          'POST',
          { 'content-type': 'application/x-www-form-urlencoded', ...headers },
          typeof form === 'string' ? form : formBody(form),
        ),
      ),
    get: async (path, headers = {}) => read(await asked(`${url}${path}`, 'GET', headers)),
    async stop() {
      await running.stop();
      if (given === undefined) await store.remove();
    },
  };
}

/** A form without the members that are undefined. */
export function formBody(form: Readonly<Record<string, string | undefined>>): string {
  return new URLSearchParams(
    Object.entries(form).filter((entry): entry is [string, string] => entry[1] !== undefined),
  ).toString();
}

/** `Authorization` of `client_secret_basic` (RFC 6749 §2.3.1). */
export function basic(clientId: string, secret: string): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64')}`;
}

function read({ status, headers, text }: Asked): Answer {
  const json = /json(;|$)/.test(headers.get('content-type') ?? '') && text !== '';
  return { status, headers, body: json ? (JSON.parse(text) as unknown) : text };
}
