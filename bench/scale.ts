import type { TestStoreKind } from '../test/support/stores.ts';
import { fillDatabase, fillRedis, type Rows } from './rows.ts';
import { type Load, startGenerator, startSubject } from './subject.ts';

/** The big case. */
export interface Scale extends Rows {
  /** Clients that ask, in turn. */
  readonly active: number;
}

/** How much is measured. */
export interface ScaleExtent {
  readonly connections: number;
  readonly requests: number;
  readonly repetitions: number;
}

const median = (values: readonly number[]) =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

/**
 * W2 with a single client and no rows against W2 with many of both, in turns. Answers a row of
 * Markdown.
 */
export async function measureScale(
  kind: TestStoreKind,
  scale: Scale,
  { connections, requests, repetitions }: ScaleExtent,
): Promise<string> {
  const generator = startGenerator();
  const tell = (text: string) => process.stderr.write(`${kind.name}: ${text}\n`);
  const small = await startSubject(kind, generator);
  const big = await startSubject(kind, generator);
  const redisUrl = big.store.env['REDIS_URL'];
  let redis: Awaited<ReturnType<typeof fillRedis>> | undefined;
  try {
    const began = performance.now();
    await fillDatabase(
      big.store.env['DATABASE_URL'] ?? '',
      redisUrl === undefined ? scale : { ...scale, replay: 0 },
    );
    if (redisUrl !== undefined) redis = await fillRedis(redisUrl, scale.replay);
    tell(
      `filled in ${Math.round((performance.now() - began) / 1000)} s${redis === undefined ? '' : `, Redis has ${mebibytes(redis.bytes)} more`}`,
    );
    const many = { activeClients: scale.active };
    // Every client asks once, so that its registration and key are known.
    await small.load('W2', scale.active, connections);
    await big.load('W2', scale.active, connections, many);
    const loads: { readonly small: Load; readonly big: Load }[] = [];
    for (let repetition = 0; repetition < repetitions; repetition++) {
      const pair = {
        small: await small.load('W2', requests, connections),
        big: await big.load('W2', requests, connections, many),
      };
      loads.push(pair);
      for (const [name, { perSecond, cpu, statements, p99 }] of Object.entries(pair))
        tell(
          `${name} ${perSecond.toFixed(0)}/s, ${cpu.toFixed(0)} µs, ${statements?.toFixed(3)} SQL, p99 ${p99.toFixed(1)} ms`,
        );
    }
    const of = (each: (pair: { readonly small: Load; readonly big: Load }) => number) =>
      median(loads.map(each));
    const cells = [
      kind.name,
      of((pair) => pair.big.perSecond / pair.small.perSecond).toFixed(2),
      of((pair) => pair.big.cpu / pair.small.cpu).toFixed(2),
      of((pair) => pair.big.perSecond).toFixed(0),
      `${of((pair) => pair.small.statements ?? 0).toFixed(2)} → ${of((pair) => pair.big.statements ?? 0).toFixed(2)}`,
      `${of((pair) => pair.small.p99).toFixed(1)} → ${of((pair) => pair.big.p99).toFixed(1)}`,
      `${mebibytes(small.memory())} → ${mebibytes(big.memory())}`,
    ];
    return `| ${cells.join(' | ')} |`;
  } finally {
    await redis?.remove();
    await small.stop();
    await big.stop();
    generator.disconnect();
  }
}

/** Head of the table of `measureScale`. */
export const scaleHead = [
  '| store | tokens/s, big ÷ small (goal 0.9) | CPU a token, big ÷ small | tokens/s, big | SQL a token | p99 ms | memory of the server |',
  '|---|---|---|---|---|---|---|',
].join('\n');
