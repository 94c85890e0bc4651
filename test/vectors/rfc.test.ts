import { createHash, X509Certificate } from 'node:crypto';
import { CompactEncrypt, compactDecrypt, generateKeyPair } from 'jose';
import { expect, it } from 'vitest';
import { candidatesOf } from '../../packages/resource-server/src/candidates.ts';
import type { AccessTokenClaims } from '../../packages/resource-server/src/claims.ts';
import type { Confirmation } from '../../src/domain/confirmation.ts';
import { OAuthError } from '../../src/domain/oauth-error.ts';
import { decodeBase64url } from '../../src/jose/base64url.ts';
import { parseCompactJws, verifyJws } from '../../src/jose/compact-jws.ts';
import { JoseError } from '../../src/jose/jose-error.ts';
import { readPublicKey } from '../../src/jose/public-key.ts';
import { thumbprints } from '../../src/protocol/access-token/confirmed-thumbprints.ts';
import { registeredCertificateThumbprint } from '../../src/protocol/client-keys/registered-certificate.ts';
import { dpop } from '../../src/protocol/possession/dpop.ts';
import { readClientCertificate } from '../../src/x509/client-certificate.ts';
import { parseDistinguishedName, sameName } from '../../src/x509/distinguished-name.ts';
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
  readonly access_token?: string;
  readonly ath?: string;
  readonly jwt?: string;
  readonly jwk_thumbprint_computed_here?: string;
}

describeWithVectors('examples of the RFCs', () => {
  const casesOf = (rfc: string) =>
    vectors<{ cases: readonly Case[] }>(`${rfc}/examples.json`).cases;

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

  it('RFC 9449 §4.2 and §7: the ath of the printed proof is the hash of the printed access token; the resource server takes the two together', async () => {
    const [{ access_token = '', ath } = {}] = casesOf('rfc9449').filter(
      ({ access_token }) => access_token !== undefined,
    );
    expect(createHash('sha256').update(access_token).digest('base64url')).toBe(ath);
    const [proof] = casesOf('rfc9449').filter(
      ({ payload }) => payload !== undefined && 'ath' in payload,
    );
    const at = (parseCompactJws(proof?.proof ?? '').payload['iat'] as number) * 1000;
    const check = dpop({
      endpoint: 'https://resource.example.org/protectedresource',
      clock: () => at,
      nonces: { current: () => '', check: () => ({ valid: false }) },
      algs: ['ES256'],
      maxAge: 60,
      maxFuture: 30,
    });
    expect(check([proof?.proof ?? ''], 'GET', false)).toMatchObject({
      ath,
      key: { jkt: proof?.jkt },
    });
    expect(() => check([proof?.proof ?? ''], 'POST', false)).toThrow(OAuthError);
  });

  it('RFC 9449 §6.1: the printed token is confirmed by the key of the printed proofs', () => {
    const [{ jwt = '' } = {}] = casesOf('rfc9449').filter((one) => one.jwt !== undefined);
    const { cnf } = parseCompactJws(jwt).payload;
    expect(thumbprints(cnf as Confirmation, '')).toEqual([
      readPublicKey(parseCompactJws(casesOf('rfc9449')[0]?.proof ?? '').header['jwk']).jkt,
    ]);
  });

  it('RFC 7800 §3.2 to §3.5: a resource server knows the printed confirmations by one method each', () => {
    const several = { altCnf: false, jwks: false, jwe: false, max: 1 };
    const methods = casesOf('rfc7800')
      .filter(({ claims }) => claims !== undefined)
      .map(({ id, claims }) => [
        id,
        candidatesOf({ ...claims, client_id: 'c' } as unknown as AccessTokenClaims, several)[0],
      ]);
    expect(methods).toMatchObject([
      [
        'rfc7800-3.2-jwk',
        { method: 'jwk', thumbprint: 'gNVUILmGM8X02lmcIVmHKnjrJlfhXYf0Zi8dWhyXGWs' },
      ],
      [
        'rfc7800-3.4-kid',
        { method: 'kid', registered: { kid: 'dfd1aa97-6d8d-4575-a0fe-34b96de2bfad' } },
      ],
      [
        'rfc7800-3.5-jku',
        {
          method: 'jku',
          registered: { jku: 'https://keys.example.net/pop-keys.json', kid: '2015-08-28' },
        },
      ],
    ]);
  });

  it('RFC 7800 §3.3: the printed symmetric key, encrypted to a resource server, comes out to the letter; it never passes as a public key', async () => {
    const [{ jwk } = {}] = casesOf('rfc7800').filter((one) => one.jwk !== undefined);
    const { publicKey, privateKey } = await generateKeyPair('ECDH-ES+A256KW');
    const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(jwk)))
      .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM' })
      .encrypt(publicKey);
    expect(
      JSON.parse(Buffer.from((await compactDecrypt(jwe, privateKey)).plaintext).toString()),
    ).toEqual(jwk);
    expect(() => readPublicKey(jwk)).toThrow(JoseError);
  });

  it('RFC 7800 §3.2: the key in the example passes the gate', () => {
    const keys = casesOf('rfc7800').filter(({ claims }) => claims?.cnf?.jwk !== undefined);
    expect(keys.map(({ claims }) => readPublicKey(claims?.cnf?.jwk).jkt)).toEqual(
      keys.map(({ jkt_computed_here }) => jkt_computed_here),
    );
    expect(keys.length).toBeGreaterThan(0);
  });

  it('RFC 8705 Appendix A: the thumbprint of the certificate; that of §3.1 is no canonical base64url and no JWK member', () => {
    const [appendix, figure] = vectors<{
      cases: readonly { cert_pem?: string; 'x5t#S256'?: string; cnf?: Record<string, string> }[];
    }>('rfc8705/examples.json').cases;
    const { raw } = new X509Certificate(appendix?.cert_pem ?? '');
    expect(readClientCertificate(raw, false)['x5t#S256']).toBe(
      'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0',
    );
    expect(decodeBase64url(figure?.cnf?.['x5t#S256'])).toBeUndefined();
  });

  it('RFC 8705 Appendix A: the JWK with its certificate in x5c names that certificate; key, subject and validity are those of the certificate', () => {
    const [{ jwk, jwk_thumbprint_computed_here: jkt } = {}] = casesOf('rfc8705');
    const key = readPublicKey(jwk);
    const [x5c = ''] = key.x5c ?? [];
    const certificate = readClientCertificate(Buffer.from(x5c, 'base64'), false);
    expect([key.jkt, certificate.key?.jkt]).toEqual([jkt, jkt]);
    expect(registeredCertificateThumbprint(key)).toBe(certificate['x5t#S256']);
    expect(sameName(certificate.subject, parseDistinguishedName('CN=mtls'))).toBe(true);
    const moments = [
      '2018-10-18T12:37:08Z',
      '2018-10-18T12:37:09Z',
      '2022-05-02T12:37:08Z',
      '2022-05-02T12:37:10Z',
    ];
    expect(moments.map((moment) => certificate.validAt(Date.parse(moment)))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('RFC 7517 Appendix A to C: public signature keys pass, keys of another use, private and symmetric ones do not', () => {
    const sets = casesOf('rfc7517').flatMap(({ id, jwks, jwk, plaintext_jwk }) =>
      [...(jwks?.keys ?? []), jwk, plaintext_jwk]
        .filter((key) => key !== undefined)
        .map((key) => [id, key] as const),
    );
    const outcome = (key: unknown) => {
      try {
        return readPublicKey(key).jkt;
      } catch (fault) {
        return fault instanceof JoseError ? fault.reason : String(fault);
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
        return fault instanceof JoseError ? fault.reason : String(fault);
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
