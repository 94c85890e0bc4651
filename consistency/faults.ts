import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Asker } from './ask.ts';
import type { Cluster, Replica } from './cluster.ts';
import type { ManagedProcess } from './managed-process.ts';

/** A fault that lasts for a while. */
interface Fault {
  readonly fault: string;
  /** The process that it affects, as recorded. */
  readonly target: string;
  strike(): Promise<void>;
}

/** All faults of a cluster, in the order of a round. */
function faultsOf({ replicas, database, redis, redisForgets }: Cluster): readonly Fault[] {
  const anyReplica = () => replicas[randomInt(replicas.length)] as Replica;
  const [one, another, third] = [anyReplica(), anyReplica(), replicas[0] as Replica];
  const killed = async (struck: ManagedProcess, away: number) => {
    await struck.kill();
    await sleep(away);
    await struck.start();
  };
  const paused = async (struck: ManagedProcess, away: number) => {
    struck.pause();
    await sleep(away);
    struck.resume();
  };
  const clock = (clockOffset: number): Fault => ({
    fault: `clock ${clockOffset / 1000} s`,
    target: third.address,
    async strike() {
      third.moveClock(clockOffset);
      await sleep(2500);
    },
  });
  return [
    { fault: 'kill', target: one.address, strike: () => killed(one, 300) },
    clock(30_000),
    { fault: 'pause', target: another.address, strike: () => paused(another, 2500) },
    { fault: 'crash', target: 'postgresql', strike: () => killed(database, 300) },
    clock(0),
    { fault: 'pause', target: 'postgresql', strike: () => paused(database, 2000) },
    clock(-30_000),
    { fault: 'pause', target: 'redis', strike: () => paused(redis, 1500) },
    clock(0),
    { fault: 'crash', target: 'redis', strike: () => killed(redis, 200) },
    { fault: 'forget', target: 'redis', strike: redisForgets },
  ];
}

/** Redis crashes only in every third round, because proofs are refused for a minute afterwards. */
const roundsBetweenCrashesOfRedis = 3;

/** Injects faults one after another until `until`, then resets the clocks. */
export async function troubles(asker: Asker, cluster: Cluster, until: number): Promise<void> {
  for (let round = 0; asker.now() < until; round++) {
    for (const { fault, target, strike } of faultsOf(cluster)) {
      const fallsTooOften =
        target === 'redis' && fault !== 'pause' && round % roundsBetweenCrashesOfRedis !== 0;
      if (fallsTooOften || asker.now() >= until) continue;
      const start = asker.now();
      await strike();
      asker.record({ op: 'fault', fault, target, start, end: asker.now() });
      await sleep(300 + randomInt(700));
    }
  }
  for (const replica of cluster.replicas) replica.moveClock(0);
}
