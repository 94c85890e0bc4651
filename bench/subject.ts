import { readFileSync } from 'node:fs';
import { decodeJwt, exportJWK } from 'jose';
import { testKey } from '../test/support/keys.ts';
import { freePort } from '../test/support/ports.ts';
import { adminToken, basic, formBody } from '../test/support/server.ts';
import type { TestStore, TestStoreKind } from '../test/support/stores.ts';
import type { StatementCount } from './counted-adapters.ts';
import type { LoadResult } from './generator.ts';
import { cpuTime, forkOn, told } from './processes.ts';
import type { Fixture, Workload } from './workloads.ts';

/** One load on one server. */
export interface Load extends LoadResult {
  readonly perSecond: number;
  /** Microseconds of the server's CPU time a request, all its processes together. */
  readonly cpu: number;
  /** SQL statements a request; absent where they were not counted. */
  readonly statements?: number;
}

/** A server on a store of its own, with one client of each kind. */
export interface Subject {
  readonly store: TestStore;
  readonly fixture: Fixture;
  /** Of its main process. */
  readonly pid: number;
  /** Closed loop; throws when an answer is not what it must be. */
  load(workload: Workload, requests: number, connections: number, change?: Partial<Fixture>): Promise<Load>;
  /** Octets that the main process holds in memory. */
  memory(): number;
  stop(): Promise<void>;
}

/** The process that sends. */
export type Generator = ReturnType<typeof forkOn>;

/** Starts the generator on the second core. */
export const startGenerator = (): Generator => forkOn(1, 'generator.ts', [], { PATH: process.env['PATH'] });

/** Starts a server as an operator does, and registers everybody. `pinned`: one process, held to the first core, statements counted. */
export async function startSubject(
  kind: TestStoreKind,
  generator: Generator,
  { workers = 1, pinned = workers === 1 }: { readonly workers?: number; readonly pinned?: boolean } = {},
): Promise<Subject> {
  const store = await kind.make();
  const [port, adminPort] = [await freePort(), await freePort()];
  const env = { PATH: process.env['PATH'], NODE_ENV: 'production', HOST: '127.0.0.1', ISSUER: `http://127.0.0.1:${port}`, ADMIN_TOKEN: adminToken };
  const server = forkOn(
    pinned ? 0 : undefined,
    '../src/main.ts',
    // Supervised processes have a channel of their own; they are not counted.
    pinned ? ['--import', new URL('count-statements.ts', import.meta.url).href] : [],
    { ...env, ...store.env, PORT: String(port), ADMIN_PORT: String(adminPort), WORKERS: String(workers) },
  );
  const pid = server.pid ?? 0;
  const stop = async () => {
    const gone = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await gone;
    await store.remove();
  };
  const statements = async () => (pinned ? (await told<StatementCount>(server, {})).statements : 0);
  try {
    const fixture = await prepare(port, adminPort);
    return {
      store,
      fixture,
      pid,
      stop,
      memory: () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024,
      async load(workload, count, connections, change = {}) {
        await told(generator, { make: { workload, count, fixture: { ...fixture, ...change } } });
        const [statementsBefore, cpuBefore] = [await statements(), cpuTime(pid)];
        const result = await told<LoadResult>(generator, { send: { connections } });
        const cpu = (cpuTime(pid) - cpuBefore) / result.requests;
        const sent = (await statements()) - statementsBefore;
        if (Object.keys(result.statuses).join() !== '200') throw new Error(`${workload} was answered ${JSON.stringify(result.statuses)}`);
        checkSample(workload, result.sample);
        return { ...result, perSecond: (result.requests * 1000) / result.duration, cpu, ...(pinned && { statements: sent / result.requests }) };
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Registers everybody and asks for the tokens to introspect. */
async function prepare(port: number, adminPort: number): Promise<Fixture> {
  const url = `http://127.0.0.1:${port}`;
  while ((await fetch(`${url}/health/ready`).catch(() => undefined))?.status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
  const key = await testKey();
  const clientKey = await exportJWK(key.privateKey);
  const names = { audience: 'https://rs.example.com', basicClient: 'basic', keyClient: 'signer', resourceServer: 'rs', secret: 's'.repeat(32) };
  const register = async (path: string, body: object) => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/admin/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  };
  await register('resource-servers', { audience: names.audience, client_id: names.resourceServer, client_secret: names.secret });
  await register('clients', { client_id: names.basicClient, client_secret: names.secret });
  await register('clients', { client_id: names.keyClient, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } });
  const token = async () => {
    const answer = await fetch(`${url}/token`, {
      method: 'POST',
      headers: {
        authorization: basic(names.basicClient, names.secret),
        dpop: await key.proof({ htu: `${url}/token`, iat: Math.floor(Date.now() / 1000) }),
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: formBody({ grant_type: 'client_credentials' }),
    });
    return ((await answer.json()) as { access_token: string }).access_token;
  };
  return { ...names, issuer: url, port, clientKey, tokens: await Promise.all(Array.from({ length: 20 }, token)) };
}

/** Only valid answers count: a sample says what such an answer says. Throws. */
export function checkSample(workload: Workload, sample: string): void {
  const body = JSON.parse(sample) as { access_token?: string; active?: boolean; keys?: readonly object[]; cnf?: { jkt?: string } };
  const bound = () => decodeJwt<{ cnf?: { jkt?: string } }>(body.access_token ?? '').cnf?.jkt !== undefined;
  const right = workload === 'W4' ? (body.keys?.length ?? 0) > 0 : workload === 'W5' ? body.active === true && body.cnf?.jkt !== undefined : bound();
  if (!right) throw new Error(`${workload} was answered ${sample}`);
}
