import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { freePort } from '../test/support/ports.ts';
import { adminToken } from '../test/support/server.ts';
import type { TestStore, TestStoreKind } from '../test/support/stores.ts';
import type { LoadResult } from './generator.ts';
import type { prepare } from './prepare.ts';
import { forkOn, told } from './processes.ts';
import { trimmedMean } from './statistics.ts';
import { startGenerator } from './subject.ts';
import type { CpuTime, Version } from './two-versions.ts';
import type { Fixture } from './workloads.ts';

/** How much is measured, and the other checkout, after its `npm ci`. */
export interface BesideExtent {
  readonly checkout: string;
  readonly connections: number;
  readonly requests: number;
  readonly repetitions: number;
}

const workloads = ['W2', 'W3'] as const;

/**
 * Compares CPU time per request of this version and of another checkout, which one process serves
 * in turns: two processes of the same version differ by a tenth. Each order of starting them counts
 * half. Returns Markdown rows.
 */
export async function measureBeside(kind: TestStoreKind, extent: BesideExtent): Promise<string> {
  const logs = new Map<string, number[]>(workloads.map((workload) => [workload, []]));
  for (const first of ['this', 'other'] as const) await measureOnce(kind, extent, first, logs);
  const rows = [...logs].map(([workload, values]) => {
    const { mean, within } = trimmedMean(values);
    const cells = [kind.name, workload, values.length, Math.exp(mean).toFixed(3)];
    return `| ${cells.join(' | ')} | ± ${within.toFixed(3)} |`;
  });
  return rows.join('\n');
}

/** Head of the table of `measureBeside`. */
export const besideHead = [
  '| store | | turns | CPU a request, this version ÷ the other | 95 % |',
  '|---|---|---|---|---|',
].join('\n');

async function measureOnce(
  kind: TestStoreKind,
  { checkout, connections, requests, repetitions }: BesideExtent,
  first: 'this' | 'other',
  logs: ReadonlyMap<string, number[]>,
): Promise<void> {
  const sides = [
    await sideOf(kind, join(import.meta.dirname, '..')),
    await sideOf(kind, resolve(checkout)),
  ] as const;
  const order = first === 'this' ? sides : [...sides].reverse();
  const generator = startGenerator();
  const server = forkOn(0, 'two-versions.ts', [], {
    PATH: process.env['PATH'],
    VERSIONS: JSON.stringify(order.map(({ version }) => version)),
  });
  try {
    await once(server, 'message');
    const fixtures = [await sides[0].prepare(), await sides[1].prepare()] as const;
    const cpu = async () => (await told<CpuTime>(server, {})).cpu;
    for (const workload of workloads) {
      const load = async (fixture: Fixture) => {
        await told(generator, { make: { workload, count: requests, fixture } });
        const before = await cpu();
        const { statuses } = await told<LoadResult>(generator, { send: { connections } });
        if (Object.keys(statuses).join() !== '200')
          throw new Error(`${workload} was answered ${JSON.stringify(statuses)}`);
        return (await cpu()) - before;
      };
      const [one, other] = [() => load(fixtures[0]), () => load(fixtures[1])];
      // The first turns warm up.
      for (const warm of [one, other, one, other, one, other]) await warm();
      for (let turn = 0; turn < repetitions; turn++) {
        const [a, b, c, d] = [await one(), await other(), await other(), await one()];
        logs.get(workload)?.push(Math.log((a + d) / (b + c)));
      }
    }
  } finally {
    // Each version has handlers of its own for other signals.
    server.kill('SIGKILL');
    generator.disconnect();
    await once(server, 'exit');
    for (const { store } of sides) await store.remove();
  }
}

interface Side {
  readonly store: TestStore;
  readonly version: Version;
  prepare(): Promise<Fixture>;
}

/** One version on a store of its own; its own benchmark registers everybody. */
async function sideOf(kind: TestStoreKind, checkout: string): Promise<Side> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const store = await kind.make();
  const built = join(checkout, 'dist/main.js');
  const main = existsSync(built) ? built : join(checkout, 'src/main.ts');
  const env = {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    ISSUER: `http://127.0.0.1:${port}`,
    ADMIN_TOKEN: adminToken,
    ...store.env,
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
  };
  const module = pathToFileURL(join(checkout, 'bench/prepare.ts')).href;
  const own = (await import(module)) as { readonly prepare: typeof prepare };
  return {
    store,
    version: { main: pathToFileURL(main).href, env },
    prepare: async () => own.prepare(port, adminPort),
  };
}
