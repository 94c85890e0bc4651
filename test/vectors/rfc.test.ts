import { expect, it } from 'vitest';
import { parseCompactJws, verifyJws } from '../../src/jose/compact-jws.ts';
import { readPublicKey } from '../../src/jose/public-key.ts';
import { describeWithVectors, vectors } from '../support/vectors.ts';

interface Case {
  readonly id: string;
  readonly proof?: string;
  readonly jkt?: string;
  readonly payload?: object;
  readonly claims?: { readonly cnf?: { readonly jwk?: object } };
  readonly jkt_computed_here?: string;
}

describeWithVectors('examples of the RFCs', () => {
  const casesOf = (rfc: string) => vectors<{ cases: readonly Case[] }>(`${rfc}/examples.json`).cases;

  it('RFC 9449: the printed proofs verify, and their keys have the printed thumbprints', () => {
    const proofs = casesOf('rfc9449').filter(({ proof }) => proof !== undefined);
    expect(proofs.length).toBeGreaterThan(1);
    for (const { proof = '', payload, jkt } of proofs) {
      const jws = parseCompactJws(proof);
      const key = readPublicKey(jws.header['jwk']);
      verifyJws(jws, key, ['ES256']);
      expect(jws.payload).toEqual(payload ?? jws.payload);
      expect(key.jkt).toBe(jkt ?? key.jkt);
    }
  });

  it('RFC 7800 §3.2: the key in the example passes the gate', () => {
    const keys = casesOf('rfc7800').filter(({ claims }) => claims?.cnf?.jwk !== undefined);
    expect(keys.map(({ claims }) => readPublicKey(claims?.cnf?.jwk).jkt)).toEqual(keys.map(({ jkt_computed_here }) => jkt_computed_here));
    expect(keys.length).toBeGreaterThan(0);
  });
});
