import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { testKey } from '../support/keys.ts';
import { ath } from '../support/pair.ts';
import { basic } from '../support/server.ts';
import {
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const url = 'https://gateway.example.com/things';
const resource = 'https://gateway.example.com';
const authorization = basic('gateway', clientSecret);
const inactive = { active: false };

/** A consumer of RFC 7662 that lets in whatever is active, such as a gateway, in front of everything. */
describe.each(['off', 'required'])(
  'introspection_requires_proof: a token is active only beside a proof (DPOP_NONCE=%s)',
  (nonce) => {
    let fixture: TokenEndpointFixture;
    let device: TestCertificate;
    beforeAll(async () => {
      fixture = await tokenEndpointFixture({
        env: {
          DPOP_NONCE: nonce,
          CLIENT_CERTIFICATE_HEADER: 'rfc9440',
          TRUSTED_PROXIES: '127.0.0.1/32',
        },
      });
      device = await certificate({ subject: 'CN=device' });
      const { status, body } = await fixture.server.admin('POST', 'resource-servers', {
        audience: resource,
        client_id: 'gateway',
        client_secret: clientSecret,
        cnf_methods_supported: ['jkt', 'x5t#S256'],
        introspection_requires_proof: true,
      });
      if (status !== 201 || body.introspection_requires_proof !== true)
        throw new Error(`not registered: ${status}`);
      await fixture.server.admin('POST', 'clients', {
        client_id: 'device',
        client_secret: clientSecret,
        tls_client_certificate_bound_access_tokens: true,
      });
    });
    afterAll(async () => fixture.server.stop());

    const form = { grant_type: 'client_credentials', resource };
    const freshNonce = async () => {
      if (nonce === 'off') return {};
      const { headers } = await fixture.server.post('/token', form, {
        authorization: basic('app', clientSecret),
        dpop: await fixture.key.proof(),
      });
      return { nonce: String(headers.get('dpop-nonce')) };
    };
    const byKey = async () =>
      (
        await fixture.server.post('/token', form, {
          authorization: basic('app', clientSecret),
          dpop: await fixture.key.proof(await freshNonce()),
        })
      ).body.access_token as string;
    const introspect = async (token: string, evidence: Record<string, string> = {}, more = {}) =>
      (await fixture.server.post('/introspect', { token, ...evidence }, { authorization, ...more }))
        .body;
    const proofBy = async (
      key: TokenEndpointFixture['key'],
      token: string,
      claims: object = {},
    ) => ({
      dpop_proof: await key.proof({
        htm: 'GET',
        htu: url,
        ath: ath(token),
        ...(await freshNonce()),
        ...claims,
      }),
      htm: 'GET',
      htu: url,
    });

    it('a stolen DPoP token without a proof is inactive, in the signed answer too', async () => {
      const token = await byKey();
      expect(await introspect(token)).toEqual(inactive);
      const accept = 'application/token-introspection+jwt';
      const signed = await introspect(token, {}, { accept });
      expect(decodeJwt(signed)['token_introspection']).toEqual(inactive);
    });
    it('with a proof by its own key it is active, once', async () => {
      const token = await byKey();
      const evidence = await proofBy(fixture.key, token);
      expect(await introspect(token, evidence)).toMatchObject({
        active: true,
        proof: { valid: true, presenter: 'app' },
      });
      expect(await introspect(token, evidence)).toEqual(inactive);
    });
    it('with any other proof it is inactive, and nothing is said of it', async () => {
      const token = await byKey();
      const { client_certificate } = { client_certificate: device.pem };
      for (const evidence of [
        await proofBy(await testKey(), token),
        await proofBy(fixture.key, 'another'),
        { dpop_proof: 'x', htm: 'GET', htu: url },
        { client_certificate },
      ])
        expect(await introspect(token, evidence)).toEqual(inactive);
    });
    it('a certificate-bound token is active beside its certificate only', async () => {
      const { body } = await fixture.server.post('/token', form, {
        authorization: basic('device', clientSecret),
        'client-cert': `:${device.der.toString('base64')}:`,
      });
      const token = body.access_token as string;
      const other = await certificate({ subject: 'CN=device' });
      expect([
        await introspect(token),
        await introspect(token, { client_certificate: other.pem }),
        (await introspect(token, { client_certificate: device.pem })).active,
      ]).toEqual([inactive, inactive, true]);
    });
    it.runIf(nonce === 'required')(
      'RFC 9449 §9: the nonce that the proof needs comes with the refusal',
      async () => {
        const token = await byKey();
        const answer = await introspect(
          token,
          await proofBy(fixture.key, token, { nonce: undefined }),
        );
        expect(answer).toEqual({
          active: false,
          proof: { valid: false, reason: 'nonce_missing', nonce: expect.any(String) },
        });
        const evidence = await proofBy(fixture.key, token, { nonce: answer.proof.nonce });
        expect((await introspect(token, evidence)).active).toBe(true);
      },
    );
  },
);
