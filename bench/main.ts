import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { storeKinds } from '../test/support/stores.ts';
import { measureCrypto } from './crypto-cost.ts';
import { type Measurement, measureStore } from './measure.ts';
import { plot, type Results, table } from './report.ts';

// npm run bench -- [--requests 10000] [--repetitions 3] [--connections 64] [--publish]
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    repetitions: { type: 'string', default: '3' },
    connections: { type: 'string', default: '64' },
    publish: { type: 'boolean', default: false },
  },
});
const extent = { requests: Number(values.requests), repetitions: Number(values.repetitions), connections: Number(values.connections) };

/** Each store with one process; the last of them, the one that several machines share, with two as well. */
const kinds = storeKinds.filter(({ name }) => name !== 'SQLite and Redis');
const runs = [...kinds.map((kind) => ({ kind, workers: 1 })), ...kinds.slice(-1).map((kind) => ({ kind, workers: 2 }))];
const crypto = measureCrypto();
const measurements: Measurement[] = [];
for (const { kind, workers } of runs) {
  process.stderr.write(`${kind.name}, processes: ${workers}\n`);
  measurements.push(...(await measureStore(kind, workers, extent)));
}
const results: Results = {
  date: new Date().toISOString(),
  machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
  versions: `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`,
  connections: extent.connections,
  crypto,
  measurements,
};
const folder = values.publish ? join(import.meta.dirname, 'results') : 'data';
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'bench.json'), `${JSON.stringify(results, null, 1)}\n`);
writeFileSync(join(folder, 'bench.svg'), plot(results));
if (values.publish) {
  const readme = join(import.meta.dirname, 'README.md');
  const [before, , after] = readFileSync(readme, 'utf8').split(/(?<=<!-- table -->\n)|(?=<!-- end of table -->)/);
  writeFileSync(readme, `${before}${table(results)}\n${after}`);
}
console.log(`${table(results)}\n\nraw results and plot: ${folder}`);
