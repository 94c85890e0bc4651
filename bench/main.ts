import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { storeKinds, type TestStoreKind } from '../test/support/stores.ts';
import { auditHead, measureAuditCost } from './audit-cost.ts';
import { besideHead, measureBeside } from './beside.ts';
import { measureCrypto } from './crypto-cost.ts';
import { gatewayHead, measureGateway } from './gateway-cost.ts';
import { loadSheddingHead, measureLoadShedding } from './load-shedding.ts';
import { type Measurement, measureStore } from './measure.ts';
import { measureMetricsCost, metricsHead } from './metrics-cost.ts';
import { plot, type Results, table } from './report.ts';
import { measureScale, scaleHead } from './scale.ts';
import { measureTwoProcesses, processesHead } from './two-processes.ts';

// npm run bench -- [--requests 10000] [--repetitions 3] [--connections 64] [--publish]
// npm run bench -- --scale [--clients 100000] [--active 10000] [--replay 1000000] [--store NAME]
// npm run bench -- --load-shedding [--seconds 10] | --processes | --audit | --gateway | --metrics [--store NAME]
// npm run bench -- --beside ../checkout [--requests 1000] [--repetitions 20] [--connections 32]
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    repetitions: { type: 'string', default: '3' },
    connections: { type: 'string', default: '64' },
    publish: { type: 'boolean', default: false },
    store: { type: 'string', multiple: true },
    scale: { type: 'boolean', default: false },
    clients: { type: 'string', default: '100000' },
    active: { type: 'string', default: '10000' },
    replay: { type: 'string', default: '1000000' },
    'load-shedding': { type: 'boolean', default: false },
    seconds: { type: 'string', default: '10' },
    processes: { type: 'boolean', default: false },
    audit: { type: 'boolean', default: false },
    gateway: { type: 'boolean', default: false },
    metrics: { type: 'boolean', default: false },
    beside: { type: 'string' },
  },
});
const extent = {
  requests: Number(values.requests),
  repetitions: Number(values.repetitions),
  connections: Number(values.connections),
};
const kinds = storeKinds.filter(
  ({ name }) => values.store?.includes(name) ?? name !== 'SQLite and Redis',
);

/** One table for one question, row by row. */
async function answer(
  head: string,
  measure: (kind: TestStoreKind) => Promise<string>,
): Promise<never> {
  const rows: string[] = [];
  for (const kind of kinds) rows.push(await measure(kind));
  console.log([head, ...rows].join('\n'));
  process.exit();
}

if (values.scale) {
  const scale = {
    clients: Number(values.clients),
    active: Number(values.active),
    replay: Number(values.replay),
  };
  await answer(scaleHead, async (kind) => measureScale(kind, scale, extent));
}
if (values['load-shedding'])
  await answer(loadSheddingHead, async (kind) =>
    measureLoadShedding(kind, { ...extent, seconds: Number(values.seconds) }),
  );
if (values.processes)
  await answer(processesHead, async (kind) => measureTwoProcesses(kind, extent));
if (values.gateway) await answer(gatewayHead, async (kind) => measureGateway(kind, extent));
const { beside: checkout } = values;
if (checkout !== undefined)
  await answer(besideHead, async (kind) => measureBeside(kind, { ...extent, checkout }));
if (values.metrics) await answer(metricsHead, async (kind) => measureMetricsCost(kind, extent));
if (values.audit) await answer(auditHead, async (kind) => measureAuditCost(kind, extent));

/**
 * Each store with one process; the last of them, the one that several machines share, with two as
 * well.
 */
const runs = [
  ...kinds.map((kind) => ({ kind, workers: 1 })),
  ...kinds.slice(-1).map((kind) => ({ kind, workers: 2 })),
];
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
  const published = readFileSync(readme, 'utf8').replace(
    /(?<=<!-- table -->\n).*(?=<!-- end of table -->)/s,
    () => `${table(results)}\n`,
  );
  writeFileSync(readme, published);
}
console.log(`${table(results)}\n\nraw results and plot: ${folder}`);
