import { KeyObject, sign } from 'node:crypto';
import { CompactSign, type CryptoKey, compactVerify, exportJWK, generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { accessTokenSigningAlgorithms } from '../../src/jose/algorithms.ts';
import { ecdsaFromDer, ecdsaToDer } from '../../src/jose/ecdsa-der.ts';
import { readPublicKey } from '../../src/jose/public-key.ts';
import { signInput, verifySignature } from '../../src/jose/signature.ts';

describe('RFC 7518 §3: signatures are interchangeable with those of jose', () => {
  it.each(accessTokenSigningAlgorithms)('%s: jose verifies what is signed here', async (alg) => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const input = `${Buffer.from(JSON.stringify({ alg })).toString('base64url')}.e30`;
    const signature = signInput(alg, KeyObject.from(privateKey), Buffer.from(input));
    const { payload } = await compactVerify(
      `${input}.${signature.toString('base64url')}`,
      publicKey as CryptoKey,
    );
    expect(Buffer.from(payload).toString()).toBe('{}');
    const gated = readPublicKey({ ...(await exportJWK(publicKey)) });
    expect(verifySignature(alg, gated.keyObject, Buffer.from(input), signature)).toBe(true);
  });

  it('ES256: every length of r and s in DER gives the 64 bytes that verify', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    const key = KeyObject.from(privateKey);
    const gated = readPublicKey({ ...(await exportJWK(publicKey)) });
    const lengths = new Set<number>();
    for (let index = 0; index < 2000; index++) {
      const input = Buffer.from(String(index));
      const der = sign('sha256', input, key);
      lengths.add(der.length);
      expect(verifySignature('ES256', gated.keyObject, input, ecdsaFromDer(der, 64))).toBe(true);
    }
    expect(lengths.size).toBeGreaterThan(2);
  });

  it('ES256: INTEGERs of one byte are padded to 32 bytes', () => {
    const der = Buffer.from('3006020101020102', 'hex');
    const raw = ecdsaFromDer(der, 64);
    expect([raw.length, raw[31], raw[63], raw.filter((byte) => byte !== 0).length]).toEqual([
      64, 1, 2, 2,
    ]);
  });

  it.each(['ES256', 'ES384'] as const)(
    '%s: what jose signed verifies here, whatever the lengths of r and s, and nothing beside it',
    async (alg) => {
      const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
      const gated = readPublicKey({ ...(await exportJWK(publicKey)) });
      const lengths = new Set<number>();
      for (let index = 0; index < 600; index++) {
        const jws = await new CompactSign(Buffer.from(`{"n":${index}}`))
          .setProtectedHeader({ alg })
          .sign(privateKey);
        const input = Buffer.from(jws.slice(0, jws.lastIndexOf('.')));
        const signature = Buffer.from(jws.slice(jws.lastIndexOf('.') + 1), 'base64url');
        lengths.add(ecdsaToDer(signature).length);
        expect(verifySignature(alg, gated.keyObject, input, signature)).toBe(true);
        const bit = index % (signature.length * 8);
        signature[bit >> 3] = (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(verifySignature(alg, gated.keyObject, input, signature)).toBe(false);
      }
      expect(lengths.size).toBeGreaterThan(2);
    },
  );

  it.each([
    ['zero', '00'.repeat(64), '3006020100020100'],
    ['one byte each', `${'00'.repeat(31)}7f${'00'.repeat(31)}01`, '300602017f020101'],
    [
      'a set sign bit',
      `${'00'.repeat(31)}80${'ff'.repeat(32)}`,
      `302702020080022100${'ff'.repeat(32)}`,
    ],
    [
      'full length, sign bit clear',
      `7f${'11'.repeat(31)}01${'00'.repeat(31)}`,
      `304402207f${'11'.repeat(31)}022001${'00'.repeat(31)}`,
    ],
  ])('RFC 3279 §2.2.3: DER of r and s: %s', (_, raw, der) => {
    expect(ecdsaToDer(Buffer.from(raw, 'hex')).toString('hex')).toBe(der);
  });
});
