import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { readClientCertificate } from '../../src/client-certificate.ts';
import { decodeBase64url } from '../../src/jose/base64url.ts';
import { parseCompactJws, verifyJws } from '../../src/jose/compact-jws.ts';
import { JoseFault } from '../../src/jose/jose-fault.ts';
import { readPublicKey } from '../../src/jose/public-key.ts';
import { describeWithVectors, vectors } from '../support/vectors.ts';

interface Case {
  readonly id: string;
  readonly proof?: string;
  readonly jkt?: string;
  readonly payload?: object;
  readonly claims?: { readonly cnf?: { readonly jwk?: object } };
  readonly jkt_computed_here?: string;
  readonly jwks?: { readonly keys: readonly object[] };
  readonly jwk?: object;
  readonly plaintext_jwk?: object;
  readonly compact?: string;
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

  it('RFC 8705 Appendix A: the thumbprint of the certificate; that of §3.1 is no canonical base64url and no JWK member', () => {
    const [appendix, figure] = vectors<{ cases: readonly { cert_pem?: string; 'x5t#S256'?: string; cnf?: Record<string, string> }[] }>(
      'rfc8705/examples.json',
    ).cases;
    const { raw } = new X509Certificate(appendix?.cert_pem ?? '');
    expect(readClientCertificate(raw, false)['x5t#S256']).toBe('A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0');
    expect(decodeBase64url(figure?.cnf?.['x5t#S256'])).toBeUndefined();
  });

  it('RFC 7517 Appendix A to C: public signature keys pass, keys of another use, private and symmetric ones do not', () => {
    const sets = casesOf('rfc7517').flatMap(({ id, jwks, jwk, plaintext_jwk }) =>
      [...(jwks?.keys ?? []), jwk, plaintext_jwk].filter((key) => key !== undefined).map((key) => [id, key] as const),
    );
    const outcome = (key: unknown) => {
      try {
        return readPublicKey(key).jkt;
      } catch (fault) {
        return fault instanceof JoseFault ? fault.reason : String(fault);
      }
    };
    expect(sets.map(([id, key]) => `${id} ${outcome(key)}`)).toEqual([
      'rfc7517-A.1-public-jwks not_for_signatures',
      'rfc7517-A.1-public-jwks NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
      ...Array.from({ length: 2 }, () => 'rfc7517-A.2-private-jwks private_member'),
      ...Array.from({ length: 2 }, () => 'rfc7517-A.3-symmetric-jwks private_member'),
      expect.stringMatching(/^rfc7517-B-x5c [\w-]{43}$/),
      'rfc7517-C-encrypted-key private_member',
    ]);
  });

  it('RFC 7519 Appendix A and §6.1: JWTs that are encrypted, symmetric or unsigned are none here', () => {
    const outcome = (compact: string) => {
      try {
        return parseCompactJws(compact).alg;
      } catch (fault) {
        return fault instanceof JoseFault ? fault.reason : String(fault);
      }
    };
    expect(casesOf('rfc7519').map(({ compact = '' }) => outcome(compact))).toEqual([
      'alg_unsupported',
      'jws_malformed',
      'jws_malformed',
      'jws_malformed',
    ]);
  });
});
