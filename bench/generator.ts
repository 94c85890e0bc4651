import { type ArrivalResult, arrive } from './arrivals.ts';
import { exchange, open, quantile } from './connection.ts';
import { type Fixture, requestsFor, type Workload } from './workloads.ts';

/**
 * Messages to the generator: make requests, then send them in a closed loop, or by open arrival.
 */
export type GeneratorTask =
  | {
      readonly make: {
        readonly workload: Workload;
        readonly count: number;
        readonly fixture: Fixture;
      };
    }
  | { readonly send: { readonly connections: number } }
  | { readonly arrive: { readonly perSecond: number } };

/** What a load was answered. Times in milliseconds. */
export interface LoadResult {
  readonly requests: number;
  readonly duration: number;
  readonly p50: number;
  readonly p99: number;
  /** How many answers had which status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** The body of one answer. */
  readonly sample: string;
}

// A process of its own, so that its work is not counted as the server's: HTTP/1.1 keep-alive, no
// request twice.
let requests: readonly Buffer[] = [];
let port = 0;
process.on('message', (task: GeneratorTask) => {
  if ('make' in task) {
    requests = requestsFor(task.make.workload, task.make.count, task.make.fixture);
    ({ port } = task.make.fixture);
    process.send?.({ made: requests.length });
    return;
  }
  const result: Promise<LoadResult | ArrivalResult> =
    'send' in task ? send(task.send.connections) : arrive(requests, port, task.arrive.perSecond);
  void result.then((one) => process.send?.(one));
});
process.on('disconnect', () => process.exit());

/** A closed loop: each connection sends its next request when the one before is answered. */
async function send(connections: number): Promise<LoadResult> {
  const times: number[] = [];
  const statuses: Record<string, number> = {};
  let sample = '';
  let next = 0;
  const sockets = await Promise.all(Array.from({ length: connections }, async () => open(port)));
  const began = performance.now();
  await Promise.all(
    sockets.map(async (socket) => {
      for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
        const start = performance.now();
        const { status, body } = await exchange(socket, request);
        times.push(performance.now() - start);
        statuses[status] = (statuses[status] ?? 0) + 1;
        sample = body;
      }
    }),
  );
  const duration = performance.now() - began;
  for (const socket of sockets) socket.destroy();
  return {
    requests: times.length,
    duration,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    statuses,
    sample,
  };
}
