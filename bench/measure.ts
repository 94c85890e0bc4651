import { decodeJwt, exportJWK } from 'jose';
import { testKey } from '../test/support/keys.ts';
import { freePort } from '../test/support/ports.ts';
import { adminToken, basic, formBody } from '../test/support/server.ts';
import type { TestStoreKind } from '../test/support/stores.ts';
import type { StatementCount } from './counted-adapters.ts';
import type { LoadResult } from './generator.ts';
import { cpuTime, forkOn, told } from './processes.ts';
import { type Fixture, type Workload, workloads } from './workloads.ts';

/** One workload on one store. */
export interface Measurement {
  readonly store: string;
  /** Processes of the server. */
  readonly workers: number;
  readonly workload: Workload;
  readonly perSecond: number;
  /** Microseconds of the server's CPU time a request, all its processes together. */
  readonly cpu: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** SQL statements a request; absent where they were not counted. */
  readonly statements?: number;
}

/** How much is measured. */
export interface Extent {
  readonly connections: number;
  /** Requests of one measurement. */
  readonly requests: number;
  readonly repetitions: number;
}

/** Starts the server on a store of its own and measures every workload, again and again in turns. Throws when an answer is not what it must be. */
export async function measureStore(
  kind: TestStoreKind,
  workers: number,
  { connections, requests, repetitions }: Extent,
): Promise<readonly Measurement[]> {
  const store = await kind.make();
  const [port, adminPort] = [await freePort(), await freePort()];
  const env = { PATH: process.env['PATH'], NODE_ENV: 'production', HOST: '127.0.0.1', ISSUER: `http://127.0.0.1:${port}`, ADMIN_TOKEN: adminToken };
  const server = forkOn(
    workers === 1 ? 0 : undefined,
    '../src/main.ts',
    // Supervised processes have a channel of their own; they are not counted.
    workers === 1 ? ['--import', new URL('count-statements.ts', import.meta.url).href] : [],
    { ...env, ...store.env, PORT: String(port), ADMIN_PORT: String(adminPort), WORKERS: String(workers) },
  );
  const generator = forkOn(1, 'generator.ts', [], { PATH: process.env['PATH'] });
  const sent = async (workload: Workload, count: number, fixture: Fixture): Promise<LoadResult> => {
    await told(generator, { make: { workload, count, fixture } });
    return told(generator, { send: { connections } });
  };
  const counted = async () => (workers === 1 ? (await told<StatementCount>(server, {})).statements : undefined);
  const measured: Measurement[] = [];
  try {
    const fixture = await prepare(port, adminPort);
    for (let repetition = 0; repetition < repetitions; repetition++) {
      for (const workload of workloads) {
        await sent(workload, Math.ceil(requests / 4), fixture);
        await told(generator, { make: { workload, count: requests, fixture } });
        const [statementsBefore, cpuBefore] = [await counted(), cpuTime(server.pid ?? 0)];
        const result = await told<LoadResult>(generator, { send: { connections } });
        const cpu = (cpuTime(server.pid ?? 0) - cpuBefore) / result.requests;
        const statements = ((await counted()) ?? 0) - (statementsBefore ?? 0);
        checkAnswers(workload, result);
        measured.push({
          store: kind.name,
          workers,
          workload,
          perSecond: (result.requests * 1000) / result.duration,
          cpu,
          p50: result.p50,
          p99: result.p99,
          ...(workers === 1 && { statements: statements / result.requests }),
        });
      }
    }
  } finally {
    generator.disconnect();
    const gone = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await gone;
    await store.remove();
  }
  return measured;
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

/** Only valid answers count: every status is 200, and a sample says what such an answer says. */
function checkAnswers(workload: Workload, { statuses, sample }: LoadResult): void {
  const body = JSON.parse(sample) as { access_token?: string; active?: boolean; keys?: readonly object[]; cnf?: { jkt?: string } };
  const bound = () => decodeJwt<{ cnf?: { jkt?: string } }>(body.access_token ?? '').cnf?.jkt !== undefined;
  const right = workload === 'W4' ? (body.keys?.length ?? 0) > 0 : workload === 'W5' ? body.active === true && body.cnf?.jkt !== undefined : bound();
  if (!right || Object.keys(statuses).join() !== '200') throw new Error(`${workload} was answered ${JSON.stringify(statuses)}: ${sample}`);
}
