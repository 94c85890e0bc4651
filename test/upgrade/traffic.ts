import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Replica } from './replica.ts';

/** Milliseconds after which a client asks again: steady traffic, no test of load. */
const pause = 25;

/** Clients and resource servers that go on while replicas come and go. */
export interface Traffic {
  /** The replicas that a front door would send requests to; assign it. */
  serving: readonly [Replica, ...Replica[]];
  /** What was not answered as it must be. */
  readonly failures: readonly string[];
  /** How often a token of one replica was verified at another, by `first → second`. */
  readonly verified: ReadonlyMap<string, number>;
  /** Resolves when every pair of serving replicas has verified that many tokens more. */
  verifiedMore(times: number): Promise<void>;
  /** Resolves when nobody waits for a replica that served before, and may stop. */
  left(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts three clients, each with a resource server, and an operator who registers. */
export function startTraffic(first: Replica, jkt: string): Traffic {
  const failures: string[] = [];
  const verified = new Map<string, number>();
  let stopped = false;
  let waiting: (() => void)[] = [];
  const any = () => traffic.serving[Math.floor(Math.random() * traffic.serving.length)] ?? first;

  async function issueAndVerify() {
    const [issuing, verifying] = [any(), any()];
    const way = `${issuing.name} → ${verifying.name}`;
    const { status, body } = await issuing.ask();
    if (status !== 200) throw new Error(`${issuing.name} issued ${status} ${JSON.stringify(body)}`);
    const verdict = await verifying.verify(String(body['access_token']));
    if (!verdict.active || !verdict.signature || verdict.jkt !== jkt)
      throw new Error(`${way}: ${JSON.stringify(verdict)}`);
    verified.set(way, (verified.get(way) ?? 0) + 1);
  }
  async function registerAndDelete() {
    const id = randomUUID();
    const made = await any().admin('POST', 'clients', { client_id: id });
    const gone = await any().admin('DELETE', `clients/${id}`);
    if (![201, 503].includes(made.status) || ![204, 404, 503].includes(gone.status))
      throw new Error(`registered ${JSON.stringify(made)}, deleted ${JSON.stringify(gone)}`);
  }
  const rounds = new Map<object, number>();
  const loop = async (step: () => Promise<void>, client: object) => {
    while (!stopped) {
      await step().catch((error: unknown) => failures.push(String(error)));
      rounds.set(client, (rounds.get(client) ?? 0) + 1);
      for (const look of waiting) look();
      await sleep(pause);
    }
  };
  const reached = async (goal: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!goal() && failures.length < 100) return;
        waiting = waiting.filter((other) => other !== look);
        resolve();
      };
      waiting = [...waiting, look];
    });
  const traffic: Traffic = {
    serving: [first],
    failures,
    verified,
    async verifiedMore(times) {
      const names = traffic.serving.map(({ name }) => name);
      const ways = names.flatMap((from) => names.map((to) => `${from} → ${to}`));
      const goals = ways.map((way) => [way, (verified.get(way) ?? 0) + times] as const);
      await reached(() => goals.every(([way, goal]) => (verified.get(way) ?? 0) >= goal));
    },
    async left() {
      const before = [...rounds];
      await reached(() => before.every(([client, round]) => (rounds.get(client) ?? 0) > round));
    },
    async stop() {
      stopped = true;
      await Promise.all(loops);
    },
  };
  const loops = [issueAndVerify, issueAndVerify, issueAndVerify, registerAndDelete].map(
    async (step) => loop(step, {}),
  );
  return traffic;
}
