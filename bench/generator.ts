import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Fixture, requestsFor, type Workload } from './workloads.ts';

/** Messages to the generator: make requests, then send them. */
export type GeneratorTask =
  | { readonly make: { readonly workload: Workload; readonly count: number; readonly fixture: Fixture } }
  | { readonly send: { readonly connections: number } };

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

// A process of its own, so that its work is not counted as the server's: closed loop, HTTP/1.1 keep-alive, no request twice.
let requests: readonly Buffer[] = [];
let port = 0;
process.on('message', (task: GeneratorTask) => {
  if ('make' in task) {
    requests = requestsFor(task.make.workload, task.make.count, task.make.fixture);
    ({ port } = task.make.fixture);
    process.send?.({ made: requests.length });
    return;
  }
  void send(task.send.connections).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit());

async function send(connections: number): Promise<LoadResult> {
  const times: number[] = [];
  const statuses: Record<string, number> = {};
  let sample = '';
  let next = 0;
  const sockets = await Promise.all(Array.from({ length: connections }, open));
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
  times.sort((one, other) => one - other);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? 0;
  return { requests: times.length, duration, p50: at(0.5), p99: at(0.99), statuses, sample };
}

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  await once(socket, 'connect');
  return socket;
}

/** One request and its whole answer, which has a Content-Length. Rejects when the connection ends before. */
function exchange(socket: Socket, request: Buffer): Promise<{ readonly status: string; readonly body: string }> {
  return new Promise((resolve, reject) => {
    let text = '';
    const ended = () => reject(new Error('the server closed a connection'));
    const read = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      socket.off('data', read).off('close', ended);
      resolve({ status: text.slice(9, 12), body: text.slice(end + 4) });
    };
    socket.on('data', read).once('close', ended);
    socket.write(request);
  });
}
