import { freePort } from '../test/support/ports.ts';
import type { TestStoreKind } from '../test/support/stores.ts';
import { median } from './statistics.ts';
import { startGenerator, startSubject } from './subject.ts';
import type { ProcessesExtent } from './two-processes.ts';

/**
 * Compares CPU time per request of a gateway's question and of an introspection with proof, in
 * turns on one server; returns a Markdown row.
 */
export async function measureGateway(
  kind: TestStoreKind,
  { connections, requests, repetitions }: ProcessesExtent,
): Promise<string> {
  const generator = startGenerator();
  const gatewayPort = await freePort();
  const subject = await startSubject(kind, generator, { gatewayPort });
  const pairs: { readonly introspection: number; readonly gateway: number }[] = [];
  try {
    for (let repetition = 0; repetition <= repetitions; repetition++) {
      const { cpu: introspection } = await subject.load('W6', requests, connections);
      const change = { port: gatewayPort };
      const { cpu: gateway } = await subject.load('W7', requests, connections, change);
      // The first turn warms up.
      if (repetition > 0) pairs.push({ introspection, gateway });
    }
  } finally {
    await subject.stop();
    generator.disconnect();
  }
  const cells = [
    kind.name,
    median(pairs.map((pair) => pair.introspection)).toFixed(0),
    median(pairs.map((pair) => pair.gateway)).toFixed(0),
    median(pairs.map((pair) => pair.gateway / pair.introspection)).toFixed(2),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Head of the table of `measureGateway`. */
export const gatewayHead = [
  '| store | CPU µs, introspection with proof | gateway | gateway ÷ introspection (goal 1.3 at most) |',
  '|---|---|---|---|',
].join('\n');
