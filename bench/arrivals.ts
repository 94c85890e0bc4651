import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { exchange, open, quantile } from './connection.ts';

/** Result of an open load. Latencies in milliseconds from the moment a request was due. */
export interface ArrivalResult {
  readonly requests: number;
  /** From the first to the last arrival. */
  readonly duration: number;
  /** 200 while requests arrived. */
  readonly accepted: number;
  /** 503 with `Retry-After`, at any time. */
  readonly refused: number;
  /** Anything else: another answer, or none. */
  readonly other: number;
  readonly acceptedP50: number;
  readonly acceptedP99: number;
  readonly refusedP50: number;
  readonly refusedP99: number;
  /** How late requests were sent: large when the generator is the bottleneck. */
  readonly lateP99: number;
  /** Share of a core that the generator used. */
  readonly generatorCpu: number;
  readonly connections: number;
  readonly sample: string;
}

/** Connections; a request that finds none free counts as unanswered. */
const maxConnections = 8000;

/**
 * Sends requests by open arrival (Poisson) at a mean rate of `perSecond`, whatever became of
 * earlier ones, on a free keep-alive connection or a new one.
 */
export async function arrive(
  requests: readonly Buffer[],
  port: number,
  perSecond: number,
): Promise<ArrivalResult> {
  const free: Socket[] = await Promise.all(Array.from({ length: 64 }, async () => open(port)));
  const all = [...free];
  const [accepted, refused, late]: number[][] = [[], [], []];
  let [other, duringLoad, sample, lasting] = [0, 0, '', true];
  const send = async (request: Buffer, due: number) => {
    try {
      let socket = free.pop();
      while (socket?.destroyed === true) socket = free.pop();
      late?.push(performance.now() - due);
      if (socket === undefined) {
        if (all.length >= maxConnections) throw new Error('no connection is free');
        socket = await open(port);
        socket.on('error', () => undefined);
        all.push(socket);
      }
      const { status, head, body } = await exchange(socket, request);
      free.push(socket);
      const took = performance.now() - due;
      if (status === '200') {
        accepted?.push(took);
        if (lasting) duringLoad++;
        sample = body;
      } else if (status === '503' && /\r\nretry-after: \d/i.test(head)) refused?.push(took);
      else other++;
    } catch {
      other++;
    }
  };
  const cpu = process.cpuUsage();
  const began = performance.now();
  let due = began;
  const answers: Promise<void>[] = [];
  for (const request of requests) {
    due -= (Math.log(1 - Math.random()) * 1000) / perSecond;
    // Sleeps rather than spins, because a database may need this core.
    while (performance.now() < due) await sleep(1);
    answers.push(send(request, due));
    // Answers must be read even while it is late.
    if (answers.length % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  lasting = false;
  const duration = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  await Promise.all(answers);
  for (const socket of all) socket.destroy();
  return {
    requests: requests.length,
    duration,
    accepted: duringLoad,
    refused: refused?.length ?? 0,
    other,
    acceptedP50: quantile(accepted ?? [], 0.5),
    acceptedP99: quantile(accepted ?? [], 0.99),
    refusedP50: quantile(refused ?? [], 0.5),
    refusedP99: quantile(refused ?? [], 0.99),
    lateP99: quantile(late ?? [], 0.99),
    generatorCpu: (user + system) / 1000 / duration,
    connections: all.length,
    sample,
  };
}
