import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { aftermath } from './aftermath.ts';
import { asker } from './ask.ts';
import { check } from './check.ts';
import { type BrokenReplay, jwksMaxAge, startCluster } from './cluster.ts';
import { troubles } from './faults.ts';
import { work } from './load.ts';
import { begin } from './memory.ts';
import { readRecord, recorder } from './record.ts';
import { missingFrom, summary } from './summary.ts';

// npm run consistency -- [--seconds 25 | --minutes 10] [--replicas 3] [--out FILE] [--broken
// always-first|look-then-save] [--check FILE]
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '25' },
    minutes: { type: 'string' },
    replicas: { type: 'string', default: '3' },
    out: { type: 'string', default: 'data/history.jsonl' },
    broken: { type: 'string' },
    check: { type: 'string' },
  },
});

// Child processes end with this one, however it ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

async function run(file: string): Promise<void> {
  const cluster = await startCluster(
    Number(values.replicas),
    values.broken as BrokenReplay | undefined,
  );
  mkdirSync(dirname(file), { recursive: true });
  const record = recorder(file);
  const requests = asker(cluster, record.add);
  try {
    const memory = await begin(requests);
    const until =
      requests.now() +
      1000 * (values.minutes === undefined ? Number(values.seconds) : 60 * Number(values.minutes));
    await Promise.all([work(requests, memory, until), troubles(requests, cluster, until)]);
    await aftermath(requests, memory);
  } finally {
    await requests.close();
    await cluster.end();
    await record.close();
  }
}

if (values.check === undefined) await run(values.out);
const file = values.check ?? values.out;
const history = readRecord(file);
const violations = check(history, { staleness: 1000, jwksMaxAge: jwksMaxAge * 1000 });
console.log(`${summary(history, violations)}\nrecord: ${file}`);
process.exit(values.broken === undefined ? verdict() : verdictOnBroken());

function verdict(): number {
  const missing = missingFrom(history);
  if (missing.length > 0) console.log(`The run proves nothing, it lacks: ${missing.join(', ')}`);
  return violations.length === 0 && missing.length === 0 ? 0 : 1;
}

/** A run with a broken store succeeds if the checker finds exactly that fault. */
function verdictOnBroken(): number {
  const noticed =
    violations.length > 0 && violations.every(({ promise }) => promise === 'used once');
  console.log(
    noticed
      ? 'The checker noticed the broken store.'
      : 'The checker did NOT notice the broken store, or more is broken.',
  );
  return noticed ? 0 : 1;
}
