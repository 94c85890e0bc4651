import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { cryptoOperations, type Workload } from './workloads.ts';

/** Microseconds of one ES256 operation of node:crypto on one core, keys at hand. */
export interface CryptoCost {
  readonly sign: number;
  readonly verify: number;
}

/** Measures both for about a second. */
export function measureCrypto(): CryptoCost {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const data = Buffer.alloc(400, 'a');
  const signature = sign('sha256', data, privateKey);
  return {
    sign: microseconds(() => sign('sha256', data, privateKey)),
    verify: microseconds(() => verify('sha256', data, publicKey, signature)),
  };
}

function microseconds(operation: () => unknown): number {
  const rounds = (milliseconds: number) => {
    const start = performance.now();
    let done = 0;
    for (; performance.now() - start < milliseconds; done++) operation();
    return ((performance.now() - start) * 1000) / done;
  };
  rounds(100);
  return rounds(500);
}

/** What the signatures of one request cost at least, in microseconds. */
export function bareCost(workload: Workload, cost: CryptoCost): number {
  const { sign: signs, verify: verifies } = cryptoOperations[workload];
  return signs * cost.sign + verifies * cost.verify;
}
