import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compactDecrypt, importJWK, type JWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { isSignedBy, parseCompactJws, verifyJws } from '../../src/jose/compact-jws.ts';
import { readPublicKey } from '../../src/jose/public-key.ts';
import { registeredCertificateThumbprint } from '../../src/protocol/client-keys/registered-certificate.ts';
import { checkCnfProof, readCnfProof } from '../../src/protocol/possession/cnf-proof.ts';
import { dpopNonces } from '../../src/protocol/possession/dpop-nonce.ts';
import { vectorsFolder } from '../support/left-out.ts';

const found = vectorsFolder && join(vectorsFolder, 'alt-cnf.json');
// biome-ignore lint/suspicious/noExplicitAny: a file of examples, whose shape is what the tests look at.
const vectors: any = found === undefined ? undefined : JSON.parse(readFileSync(found, 'utf8'));
const publicKey = ({ d: _, ...jwk }: JWK & { d?: string }) => readPublicKey(jwk);

describe.skipIf(vectors === undefined)('the values of alt-cnf.json', () => {
  const [app, backend] = [
    () => publicKey(vectors.keys.app.jwk),
    () => publicKey(vectors.keys.backend.jwk),
  ];
  it('thumbprints of app and backend', () => {
    expect([app().jkt, backend().jkt]).toEqual([vectors.keys.app.jkt, vectors.keys.backend.jkt]);
  });
  it.each<[string, () => JWK]>([
    ['A_dpop_token_request', () => vectors.keys.app.jwk],
    ['B_cnf_proof', () => vectors.keys.backend.jwk],
    ['C1_at_single', () => vectors.keys.as_sign],
    ['C2_at_dual', () => vectors.keys.as_sign],
    ['C3_at_symmetric', () => vectors.keys.as_sign],
    ['D0_dpop_rs_app', () => vectors.keys.app.jwk],
    ['D_dpop_rs_backend', () => vectors.keys.backend.jwk],
  ])('%s parses to its header and claims, and its signature verifies', (name, key) => {
    const { jwt, h, c } = vectors[name];
    const jws = parseCompactJws(jwt);
    expect([jws.header, jws.payload]).toEqual([h, c]);
    expect(() => verifyJws(jws, publicKey(key()), ['ES256'])).not.toThrow();
  });
  it('B: the cnf-proof passes for the request that it was made for, and for no other', () => {
    const nonces = dpopNonces(
      () => [{ secret: Buffer.alloc(32), from: 0 }],
      120,
      () => vectors.time * 1000,
    );
    const options = {
      clock: () => vectors.time * 1000,
      nonces,
      issuer: vectors.issuer,
      algs: ['ES256'] as const,
      maxLifetime: 300,
      clockTolerance: 30,
    };
    const requester = { client_id: 'cal-app' } as Parameters<typeof checkCnfProof>[1]['requester'];
    const context = {
      requester,
      boundKey: { key: app(), provenBy: 'dpop_proof' as const },
      audience: vectors.resource as string,
      scopes: ['calendar.read'],
      nonceRequired: false,
    };
    const proof = readCnfProof(vectors.B_cnf_proof.jwt);
    expect(isSignedBy(proof.jws, backend(), options.algs)).toBe(true);
    const check = (other: object = {}) => checkCnfProof(proof, { ...context, ...other }, options);
    expect(check().byCertificate).toBe(false);
    expect(() => check({ requester: { client_id: 'thief' } })).toThrow(/not made for this request/);
    expect(() => check({ boundKey: { key: backend(), provenBy: 'dpop_proof' } })).toThrow(
      /not made for this request/,
    );
    expect(() => check({ audience: 'https://other.example' })).toThrow(/not made for this request/);
    expect(() => check({ nonceRequired: true })).toThrow(/nonce required/);
  });
  it('D: ath is the hash of the token with two keys', () => {
    expect(vectors.D_dpop_rs_backend.c.ath).toBe(
      createHash('sha256').update(vectors.C2_at_dual.jwt).digest('base64url'),
    );
  });
  it('E: both resource servers decrypt the same symmetric key', async () => {
    for (const [jwe, key] of [
      [vectors.E_symmetric.cnf_jwe_for_rs, vectors.keys.rs_enc],
      [vectors.E_symmetric.cnf_jwe_for_client, vectors.keys.client_enc],
    ]) {
      const { plaintext } = await compactDecrypt(jwe, await importJWK(key, 'ECDH-ES+A256KW'));
      expect(JSON.parse(new TextDecoder().decode(plaintext))).toEqual(vectors.E_symmetric.pop_key);
    }
  });
  it('F: x5t#S256 of a certificate that is registered beside its key, and of no other key', () => {
    const certificate = new X509Certificate(vectors.F_mtls.pem);
    const x5c = [certificate.raw.toString('base64')];
    const own = readPublicKey({ ...certificate.publicKey.export({ format: 'jwk' }), x5c });
    expect(registeredCertificateThumbprint(own)).toBe(vectors.F_mtls['x5t#S256']);
    expect(registeredCertificateThumbprint({ ...app(), x5c })).toBeUndefined();
  });
});
