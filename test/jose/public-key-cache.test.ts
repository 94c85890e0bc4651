import { expect, it } from 'vitest';
import { publicKeyCache } from '../../src/jose/public-key-cache.ts';
import { testKey } from '../support/keys.ts';

it('the public-key cache evicts the least recently used key', async () => {
  const { jwk } = await testKey();
  const gate = publicKeyCache();
  const key = (number: number) => ({ ...jwk, kid: String(number) });
  const [inUse, once] = [gate(key(-1)), gate(key(-2))];
  for (let first = 0; first < 3000; first += 300) {
    for (let number = first; number < first + 300; number++) gate(key(number));
    expect(gate(key(-1))).toBe(inUse);
  }
  expect(gate(key(-1))).toBe(inUse);
  expect(gate(key(-2))).not.toBe(once);
});
