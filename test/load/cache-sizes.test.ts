import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { boundedCache } from '../../src/jose/bounded-cache.ts';
import { readPublicKey } from '../../src/jose/public-key.ts';
import { verifiedHeaderCache } from '../../src/jose/verified-header-cache.ts';
import { verifyAccessToken } from '../../src/protocol/access-token/verify-access-token.ts';
import { dpop } from '../../src/protocol/possession/dpop.ts';
import { cached } from '../../src/store/cache/registration-cache.ts';
import { randomJti, testKey } from '../support/keys.ts';
import { issuer, startOfTime } from '../support/server.ts';
import { craft } from '../support/token-endpoint-fixture.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const mebibyte = 1024 * 1024;

/** MiB that are held after the work and were not before: heap, buffers, and all else of the process. */
async function heldBy(work: () => Promise<unknown>): Promise<{ heap: number; rss: number }> {
  collect();
  const before = process.memoryUsage();
  const kept = await work();
  collect();
  // The memory of buffers is given back a moment later.
  await setTimeout(50);
  collect();
  const after = process.memoryUsage();
  expect(kept).toBeDefined();
  return {
    heap: (after.heapUsed + after.external - before.heapUsed - before.external) / mebibyte,
    rss: (after.rss - before.rss) / mebibyte,
  };
}

describe('caches hold so many bytes, whatever strangers send', () => {
  it('entries are counted by their bytes, and the one not used longest goes first', () => {
    const cache = boundedCache<string>(1000);
    for (const key of ['a', 'b', 'c']) cache.set(key, key, 100);
    expect(cache.bytes()).toBe(3 * (100 + 2 + 200));
    cache.get('a');
    cache.set('d', 'd', 100);
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key))).toEqual(['a', undefined, 'c', 'd']);
    cache.set('a', 'whole', 798);
    expect([cache.get('a'), cache.get('c'), cache.bytes()]).toEqual(['whole', undefined, 1000]);
    cache.set('a', 'too much', 799);
    expect([cache.get('a'), cache.bytes()]).toEqual([undefined, 0]);
  });
  it.each([
    ['1,900', 1200],
    ['4,000', 2900],
  ])(
    'headers of proofs: 2,000 of %s characters, cut out of proofs, each with another unknown member',
    async (_, length) => {
      const { jwk } = await testKey();
      const key = readPublicKey(jwk);
      const known = verifiedHeaderCache(4 * mebibyte);
      const { heap } = await heldBy(async () => {
        for (let number = 0; number < 2000; number++) {
          const header = { alg: 'ES256', typ: 'dpop+jwt', jwk, x: `${number}`.padEnd(length) };
          const text = Buffer.from(JSON.stringify(header)).toString('base64url');
          const proof = Buffer.from(`${text}.${'p'.repeat(60_000)}`).toString();
          known.set(proof.slice(0, text.length), { header, key });
          known.get(proof.slice(0, text.length));
        }
        return known;
      });
      expect(known.bytes()).toBeLessThanOrEqual(4 * mebibyte);
      expect(heap).toBeLessThan(8);
    },
  );
  it('a header is known by alg, typ and kid alone, and one with long ones is not kept', () => {
    const known = verifiedHeaderCache(mebibyte);
    known.set('a', { header: { alg: 'ES256', kid: 'k', jku: 'x', nested: [1] } });
    known.set('b', { header: { alg: 'ES256', kid: 'k'.repeat(257) } });
    known.set('c', { header: { alg: 'ES256', kid: 7 } });
    expect(['a', 'b', 'c'].map((text) => known.get(text)?.header)).toEqual([
      { alg: 'ES256', kid: 'k' },
      undefined,
      undefined,
    ]);
  });
  it('one client with a changing unknown member in its DPoP proofs, RFC 9449 §4.2', async () => {
    const key = await testKey();
    const check = dpop({
      clock: () => startOfTime,
      nonces: { current: () => '', check: () => ({ valid: false }) },
      algs: ['ES256'],
      maxAge: 60,
      maxFuture: 30,
      endpoint: `${issuer}/token`,
    });
    const iat = startOfTime / 1000;
    const { heap, rss } = await heldBy(async () => {
      for (let number = 0; number < 8000; number++) {
        const header = { alg: 'ES256', typ: 'dpop+jwt', jwk: key.jwk, x: `${number}`.padEnd(2900) };
        const payload = { jti: randomJti(), htm: 'POST', htu: `${issuer}/token`, iat };
        check([craft(header, payload, key)], 'POST', false);
      }
      return check;
    });
    // 32 MiB of headers and keys, and what Node keeps free of memory that it has had.
    expect(heap).toBeLessThan(32);
    expect(rss).toBeLessThan(160);
  });
  it('registrations: names that are cut out of bodies of 64 KiB keep no body', async () => {
    const state = { current: async () => state };
    const copies = cached(async (name) => ({ name: name.length }), state as never);
    const { heap } = await heldBy(async () => {
      for (let number = 0; number < 1000; number++) {
        const body = `client_id=a-long-name-${`${number}`.padStart(6, '0')}&x=${'x'.repeat(65_000)}`;
        await copies.find(body.slice(10, 28));
      }
      return copies;
    });
    expect(heap).toBeLessThan(10);
  });
  it('registrations: 500 of 200 kB', async () => {
    const state = { current: async () => state };
    const copies = cached(async (name) => ({ text: name.padEnd(200_000) }), state as never);
    const { heap } = await heldBy(async () => {
      for (let number = 0; number < 500; number++) await copies.find(`client-${number}`);
      return copies;
    });
    expect(heap).toBeLessThan(40);
  });
  it('access tokens that were verified are known by their hash', async () => {
    const signer = await testKey();
    const publicKey = readPublicKey(signer.jwk);
    const verify = verifyAccessToken({ issuer, verificationKey: async () => publicKey });
    const token = await signer.sign({ iss: issuer, jti: 'x' }, { typ: 'at+jwt', kid: 'k' });
    const first = await verify(token);
    expect(first).toMatchObject({ jti: 'x' });
    expect(await verify(token)).toBe(first);
  });
});
