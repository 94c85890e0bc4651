import { readFileSync } from 'node:fs';
import { decodeJwt } from 'jose';
import { freePort } from '../test/support/ports.ts';
import { adminToken } from '../test/support/server.ts';
import type { TestStore, TestStoreKind } from '../test/support/stores.ts';
import type { StatementCount } from './counted-adapters.ts';
import type { LoadResult } from './generator.ts';
import { admin, prepare } from './prepare.ts';
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
  load(
    workload: Workload,
    requests: number,
    connections: number,
    change?: Partial<Fixture>,
  ): Promise<Load>;
  /** Bytes of memory of the main process. */
  memory(): number;
  /** What a preloaded module says when it is asked. */
  asked<Said>(): Promise<Said>;
  /** Whether its audit trail has an issuance. */
  recorded(): Promise<boolean>;
  stop(): Promise<void>;
}

/** The process that sends. */
export type Generator = ReturnType<typeof forkOn>;

/** Starts the generator on the second core. */
export const startGenerator = (): Generator =>
  forkOn(1, 'generator.ts', [], { PATH: process.env['PATH'] });

/** How a server is started. */
export interface SubjectOptions {
  readonly workers?: number;
  /** One process, held to the first core, statements counted. */
  readonly pinned?: boolean;
  /** The port of a listener for gateways. */
  readonly gatewayPort?: number;
  /** Modules of this folder that are imported before the server. */
  readonly preload?: readonly string[];
}

/** Starts a server as an operator does, and registers everybody. */
export async function startSubject(
  kind: TestStoreKind,
  generator: Generator,
  { workers = 1, pinned = workers === 1, preload = [], gatewayPort }: SubjectOptions = {},
): Promise<Subject> {
  const store = await kind.make();
  const [port, adminPort] = [await freePort(), await freePort()];
  const env = {
    PATH: process.env['PATH'],
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    ISSUER: `http://127.0.0.1:${port}`,
    ADMIN_TOKEN: adminToken,
  };
  const server = forkOn(
    pinned ? 0 : undefined,
    // What an operator starts; a loader hook means the modules of the sources.
    pinned || preload.length > 0 ? '../src/main.ts' : '../dist/main.js',
    // Supervised processes have a channel of their own; they are not counted.
    [...(pinned ? ['count-statements.ts'] : []), ...preload].flatMap((module) => [
      '--import',
      new URL(module, import.meta.url).href,
    ]),
    {
      ...env,
      ...store.env,
      PORT: String(port),
      ADMIN_PORT: String(adminPort),
      WORKERS: String(workers),
      ...(gatewayPort !== undefined && { GATEWAY_PORT: String(gatewayPort) }),
    },
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
      asked: async () => told(server, {}),
      async recorded() {
        const answer = await fetch(
          `http://127.0.0.1:${adminPort}/admin/audit-events?type=token_issued&limit=1`,
          { headers: admin },
        );
        return ((await answer.json()) as { items: readonly object[] }).items.length > 0;
      },
      memory: () =>
        Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) *
        1024,
      async load(workload, count, connections, change = {}) {
        await told(generator, { make: { workload, count, fixture: { ...fixture, ...change } } });
        const [statementsBefore, cpuBefore] = [await statements(), cpuTime(pid)];
        const result = await told<LoadResult>(generator, { send: { connections } });
        const cpu = (cpuTime(pid) - cpuBefore) / result.requests;
        const sent = (await statements()) - statementsBefore;
        if (Object.keys(result.statuses).join() !== '200')
          throw new Error(`${workload} was answered ${JSON.stringify(result.statuses)}`);
        checkSample(workload, result.sample);
        return {
          ...result,
          perSecond: (result.requests * 1000) / result.duration,
          cpu,
          ...(pinned && { statements: sent / result.requests }),
        };
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Only valid answers count: a sample says what such an answer says. Throws. */
export function checkSample(workload: Workload, sample: string): void {
  // Nothing but a request that was let in is answered 200.
  if (workload === 'W7') return;
  const body = JSON.parse(sample) as {
    access_token?: string;
    active?: boolean;
    keys?: readonly object[];
    cnf?: { jkt?: string };
    proof?: { valid: boolean };
  };
  const bound = () =>
    decodeJwt<{ cnf?: { jkt?: string } }>(body.access_token ?? '').cnf?.jkt !== undefined;
  const right =
    workload === 'W4'
      ? (body.keys?.length ?? 0) > 0
      : workload === 'W5'
        ? body.active === true && body.cnf?.jkt !== undefined
        : workload === 'W6'
          ? body.proof?.valid === true
          : bound();
  if (!right) throw new Error(`${workload} was answered ${sample}`);
}
